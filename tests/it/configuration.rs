//! The configuration as users meet it: their files, their mistakes, the documentation.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use algospace_hft::config::{Config, ConfigError, Mode, Problem};
use algospace_hft::market::{Calendar, Timeframe};
use algospace_hft::settings::{Section, Setting};
use algospace_hft::source::synthetic::{SyntheticMarket, SyntheticSettings};
use algospace_hft::strategy::StrategyKind;
use proptest::prelude::*;
use serde_json::{Value, json};

const USERS_OWN: &str = r#"system:
  mode: "backtest"            # or "live"
data_handler:
  live_settings: { provider: "rithmic" }
  backtest_settings: { file_path: "data/ES_historical.csv" }
marl_core:
  mc_dropout: { iterations: 30, confidence_threshold: 0.8 }
rde: { latent_dim: 8, lookback_window: 100 }
risk_management: { max_position_size: 5, max_daily_drawdown: 0.05 }
"#;
const BACKTEST: &str = include_str!("../../config/backtest.yaml");
const PROD: &str = include_str!("../../config/prod.yaml");
const PAPER: &str = include_str!("../../config/paper.yaml");
const DOCUMENTATION: &str = include_str!("../../docs/configuration.md");
/// One line that makes any other lines a whole configuration.
const SYNTHETIC: &str = "data_handler: { backtest_settings: { synthetic: {} } }\n";

fn variables(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, "my.yaml", &HashMap::new())
}

fn problems(result: Result<Config, ConfigError>) -> Vec<Problem> {
    match result {
        Err(ConfigError::Invalid { problems }) => problems,
        other => panic!("expected problems, not {other:?}"),
    }
}

fn value(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).unwrap()
}

#[test]
fn the_users_own_file_loads_unchanged() {
    let config = parse(USERS_OWN).unwrap();
    let file = config.data_handler.backtest_settings.file_path.as_deref();
    assert_eq!(file, Some(Path::new("data/ES_historical.csv")));
    let mut expected = Config::default();
    expected.data_handler.backtest_settings.file_path = file.map(Path::to_owned);
    assert_eq!(config, expected);
    assert_eq!(config.notes(), ["data_handler.live_settings has no effect in a backtest.",]);
    assert_eq!(config.instrument().unwrap().symbol, "ES");
}

#[test]
fn backtest_yaml_is_the_defaults_and_a_synthetic_market() {
    let config = parse(BACKTEST).unwrap();
    let synthetic = config.data_handler.backtest_settings.synthetic.unwrap();
    assert_eq!(synthetic.market, SyntheticMarket::Regimes);
    assert_eq!((synthetic.days, synthetic.trades_per_day), (20, 340_000));
    assert_eq!(config.synthetic_seed(), 7);
    let mut expected = Config::default();
    expected.data_handler.backtest_settings.synthetic = Some(synthetic);
    // Until there is a trained set the agents have nothing to show.
    expected.strategy.kind = StrategyKind::Baseline;
    assert_eq!(config, expected);
}

#[test]
fn the_alternatives_in_backtest_yamls_comments_load() {
    let mut lines = BACKTEST.lines().skip_while(|line| !line.starts_with("    synthetic:"));
    let head = lines.next().unwrap();
    let keys = lines.take_while(|line| line.starts_with("      "));
    let synthetic: String =
        std::iter::once(head).chain(keys).flat_map(|line| [line, "\n"]).collect();
    let with_file = BACKTEST.replace(&synthetic, "").replace("# file_path:", "file_path:");
    let config = parse(&with_file).unwrap();
    assert!(config.data_handler.backtest_settings.file_path.is_some());
    assert!(config.data_handler.backtest_settings.synthetic.is_none());

    let with_instrument = BACKTEST
        .replace("instruments: []", "instruments:")
        .replace("  # - symbol: ZN", "  - symbol: ZN")
        .replace("  #   ", "    ")
        .replace("instrument: ES", "instrument: ZN");
    let instrument = parse(&with_instrument).unwrap().instrument().unwrap();
    // CME: a tick of the 10-Year T-Note is half a 32nd of a point and worth $15.625.
    assert_eq!(instrument.tick_value().to_string(), "15.625");
}

#[test]
fn prod_yaml_takes_the_login_from_the_environment_and_never_shows_it() {
    let login = [
        ("RITHMIC_USER", "someone"),
        ("RITHMIC_PASSWORD", "pa$$ ${word}: #x"),
        ("RITHMIC_GATEWAY", "wss://example.invalid:443"),
    ];
    let config = Config::parse(PROD, "prod.yaml", &variables(&login)).unwrap();
    assert_eq!(config.system.mode, Mode::Live);
    let live = &config.data_handler.live_settings;
    assert_eq!(live.user.as_ref().unwrap().expose(), "someone");
    assert_eq!(live.password.as_ref().unwrap().expose(), "pa$$ ${word}: #x");
    assert_eq!(live.system_name.as_ref().unwrap().expose(), "Rithmic Paper Trading");
    let shown = format!("{}{config:?}", config.to_resolved_yaml());
    for (_, secret) in login {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains("password: <redacted>"), "{shown}");

    let mut expected = Config::default();
    expected.system.mode = Mode::Live;
    expected.pipeline = config.pipeline;
    expected.output = config.output.clone();
    expected.data_handler.live_settings = live.clone();
    assert_eq!(config, expected);

    for missing in 0..login.len() {
        let mut some = login.to_vec();
        some.remove(missing);
        let error = Config::parse(PROD, "prod.yaml", &variables(&some)).unwrap_err().to_string();
        assert!(error.starts_with("prod.yaml:"), "{error}");
        assert!(error.contains(login[missing].0), "{error}");
        assert!(some.iter().all(|(_, secret)| !error.contains(secret)), "{error}");
    }
}

#[test]
fn paper_yaml_is_the_defaults_and_a_login_of_the_environment() {
    let login = [
        ("RITHMIC_USER", "someone"),
        ("RITHMIC_PASSWORD", "hunter2"),
        ("RITHMIC_GATEWAY", "wss://example.invalid:443"),
    ];
    let config = Config::parse(PAPER, "paper.yaml", &variables(&login)).unwrap();
    assert!(config.notes().is_empty(), "{:?}", config.notes());
    let shown = format!("{}{config:?}", config.to_resolved_yaml());
    assert!(login.iter().all(|(_, secret)| !shown.contains(secret)), "{shown}");
    let live = &config.data_handler.live_settings;
    assert!(live.password_file.is_none() && live.warm_up.is_none());

    let mut expected = Config::default();
    expected.system.mode = Mode::Paper;
    expected.strategy.kind = StrategyKind::Baseline;
    expected.output = config.output.clone();
    expected.data_handler.live_settings = live.clone();
    assert_eq!(config, expected);

    let without = [login[0], login[2]];
    let config = Config::parse(PAPER, "paper.yaml", &variables(&without)).unwrap();
    assert!(config.data_handler.live_settings.password.is_none());
}

/// Lines after [`SYNTHETIC`], the place that must be named, and parts of the message.
const MISTAKES: &[(&str, &str, &[&str])] = &[
    // Unknown keys, at each level.
    ("rdx: 5", "2:1", &["`rdx`", "rde", "risk_management"]),
    ("system: { sed: 1 }", "2:11", &["`system`", "`sed`", "seed"]),
    (
        "marl_core: { mc_dropout: { iteration: 1 } }",
        "2:28",
        &["marl_core.mc_dropout", "iterations"],
    ),
    ("strategy:\n  baseline:\n    fast: 1", "4:5", &["strategy.baseline", "fast_period"]),
    ("execution: { slippage: { tick: 1 } }", "2:26", &["execution.slippage", "ticks"]),
    ("instruments: [{ sym: ZN }]", "2:17", &["instruments[0]", "symbol"]),
    // Keys of earlier versions.
    (
        "strategy: { baseline: { quantity: 2 } }",
        "2:25",
        &["`strategy.baseline.quantity` was removed: use `strategy.quantity`"],
    ),
    ("pipeline: { pace: { burst_ticks: 40 } }", "2:21", &["was removed: delete it", "40 ticks"]),
    // Wrong types.
    ("rde: 5", "2:6", &["`rde`", "section"]),
    ("rde:", "2:4", &["`rde`", "section", "delete"]),
    ("instrument:", "2:11", &["`instrument`", "delete the key"]),
    ("rde: { latent_dim: many }", "2:20", &["`rde.latent_dim`", "whole number"]),
    ("rde: { latent_dim: 5.0 }", "2:20", &["whole number"]),
    ("rde: { latent_dim: -5 }", "2:20", &["whole number from 0"]),
    ("system: { seed: 18446744073709551616 }", "2:17", &["18446744073709551615"]),
    ("risk_management: { max_daily_drawdown: few }", "2:40", &["a number such as 0.05"]),
    ("execution: { slippage: { cross_spread: yes } }", "2:40", &["true or false"]),
    ("execution: { commission_per_side: 2,25 }", "2:37", &["`execution`", "unknown key `25`"]),
    ("execution: { commission_per_side: 1e1 }", "2:35", &["dollars such as 2.25"]),
    ("bars: { timeframes: 5 }", "2:21", &["`bars.timeframes`", "list"]),
    ("bars: { timeframes: [5, 7] }", "2:25", &["`7`", "divide a day"]),
    ("system: { mode: practice }", "2:17", &["`practice`", "backtest, paper, live"]),
    ("system: !me { mode: live }", "2:13", &["tag"]),
    // Out of range.
    ("rde: { latent_dim: 0 }", "2:20", &["`rde.latent_dim`", "from 1 to 16", "not 0"]),
    ("risk_management: { max_daily_drawdown: .nan }", "2:40", &["at most 1", "NaN"]),
    ("risk_management: { max_daily_drawdown: .inf }", "2:40", &["at most 1", "inf"]),
    ("risk_management: { max_daily_drawdown: -0.05 }", "2:40", &["above 0"]),
    ("performance: { confidence_level: .nan }", "2:34", &["from 0.5 to 0.999"]),
    ("account: { initial_capital: .nan }", "2:29", &["`account.initial_capital`", "`.nan`"]),
    ("execution: { commission_per_side: -1 }", "2:35", &["from 0 to 1000 dollars", "not -1"]),
    ("pipeline: { ring_slots: 4294967295 }", "2:25", &["from 64 to 1048576 slots"]),
    ("execution: { flatten_before_close_minutes: 0 }", "2:44", &["null to hold overnight"]),
    ("bars: { timeframes: [5, 30, 5] }", "2:29", &["twice"]),
    ("output: { directory: '' }", "2:22", &["`output.directory`", "runs/latest"]),
    // Values that contradict each other.
    (
        "strategy: { baseline: { slow_period: 10 } }",
        "2:38",
        &["strategy.baseline.fast_period", "(10)", "strategy.baseline.slow_period"],
    ),
    (
        "strategy: { kind: baseline }\nbars: { timeframes: [30] }",
        "3:21",
        &["strategy.timeframe", "add it"],
    ),
    ("strategy: { kind: baseline, timeframe: daily }", "2:40", &["bars.timeframes"]),
    ("strategy: { kind: baseline, quantity: 6 }", "2:39", &["risk_management.max_position_size"]),
    // Instruments.
    ("instrument: ZN", "2:13", &["`ZN`", "MES", "instruments:"]),
    ("instruments: [{ symbol: ZN }]", "2:17", &["`tick_size`", "add it"]),
    (
        "instruments:\n- { symbol: ES, tick_size: 1, point_value: 1, calendar: always_open }",
        "3:13",
        &["instruments[0].symbol", "built in"],
    ),
    (
        "instruments:\n- &zn { symbol: ZN, tick_size: 1, point_value: 1, calendar: always_open }\n- *zn",
        "4:3",
        &["twice"],
    ),
    (
        "instruments:\n- { symbol: ZN, tick_size: 0, point_value: 1, calendar: always_open }",
        "3:28",
        &["instruments[0].tick_size", "above 0"],
    ),
    (
        "instruments:\n- { symbol: ZN, tick_size: 0.1, point_value: 1, calendar: nyse }",
        "3:59",
        &["`nyse`", "cme_equity_index, comex_metals, cme_fx, always_open"],
    ),
    // YAML.
    ("system: { seed: 1 }\nsystem: { seed: 2 }", "3:1", &["`system`", "twice"]),
    ("system:\n  seed: 1\n  seed: 2", "4:3", &["`seed`", "twice"]),
    ("system:\n\tseed: 1", "3:2", &["tab", "spaces"]),
    ("system: [1, 2", "2:9", &["bracket"]),
    ("---\nrde: {}", "3:1", &["single"]),
    // Variables.
    ("output:\n  directory: ${NO}/x", "3:14", &["`output.directory`", "`NO`", "${NO:-default}"]),
    ("output: { directory: \"${NO}\" }", "2:22", &["`NO` is not set"]),
    ("output: { directory: \"${NO:?say it}\" }", "2:22", &["`NO`", "say it"]),
    ("output: { directory: ${NO} }", "2:23", &["quotes"]),
    ("output: { directory: \"${}\" }", "2:22", &["${NAME}"]),
    ("output: { directory: \"a$b\" }", "2:22", &["$$"]),
];

#[test]
fn every_mistake_is_refused_with_its_place_and_a_remedy() {
    for (lines, place, parts) in MISTAKES {
        let text = format!("{SYNTHETIC}{lines}\n");
        let message = parse(&text).expect_err(lines).to_string();
        assert!(message.starts_with(&format!("my.yaml:{place}: ")), "{lines}\n{message}");
        let first = message.lines().next().unwrap();
        for part in *parts {
            assert!(first.contains(part), "{lines}\n`{part}` is not in {message}");
        }
        // The line is shown, and the caret stands under the column.
        let (line, column) = place.split_once(':').unwrap();
        let source = text.lines().nth(line.parse::<usize>().unwrap() - 1).unwrap();
        let shown = format!(" {line} | {}\n", source.replace('\t', " "));
        let caret = format!("   | {}^", " ".repeat(column.parse::<usize>().unwrap() - 1));
        assert!(message.contains(&format!("{shown}{caret}")), "{lines}\n{message}");
    }
}

#[test]
fn all_impossible_values_are_told_at_once() {
    let found = problems(parse(&format!(
        "{SYNTHETIC}rde: {{ latent_dim: 0, lookback_window: 0 }}\nrisk_management: {{ max_position_size: 0 }}\n"
    )));
    let places: Vec<_> = found.iter().map(|problem| (problem.line, problem.column)).collect();
    assert_eq!(places, [(2, 20), (2, 40), (3, 39)]);
}

#[test]
fn a_backtest_needs_exactly_one_source_of_ticks() {
    for nothing in ["", "  \n", "# only a comment\n", "---\n", "null\n"] {
        let message = parse(nothing).expect_err(nothing).to_string();
        assert!(message.starts_with("my.yaml:1:1: the configuration is empty"), "{message}");
        assert!(message.contains("file_path"), "{message}");
    }
    for none in ["{}", "system: {}", "data_handler: { backtest_settings: { file_path: '' } }"] {
        let message = parse(none).expect_err(none).to_string();
        assert!(message.contains("file_path") && message.contains("synthetic"), "{message}");
    }
    let both = "data_handler: { backtest_settings: { file_path: a, synthetic: {} } }";
    assert!(parse(both).unwrap_err().to_string().contains("exclude each other"));
    assert!(parse("system: { mode: live }").is_ok());
    assert!(parse("system: { mode: paper }").is_ok());
}

#[test]
fn what_paper_and_live_trading_cannot_use_is_refused_with_its_place() {
    let live = |keys: &str| {
        format!("system: {{ mode: paper }}\ndata_handler:\n  live_settings: {{ {keys} }}\n")
    };
    let pipeline = |keys: &str| format!("system: {{ mode: paper }}\npipeline: {{ {keys} }}\n");
    for (text, place, words) in [
        (live("password: a, password_file: b"), "3:48", "exclude each other"),
        (live("application_name: ''"), "3:38", "`data_handler.live_settings.application_name`"),
        (live("contract: NQZ6"), "3:30", "`NQZ6` is not a contract of ES such as ESZ6"),
        (live("contract: ES"), "3:30", "null is the front month"),
        (live("login_spacing_milliseconds: 60001"), "3:48", "from 0 to 60000 milliseconds"),
        (live("stale_after_seconds: 0"), "3:41", "from 1 to 600 seconds"),
        (pipeline("layout: fused"), "2:21", "use `decision_apart`"),
        (pipeline("journal: false"), "2:22", "delete the key"),
    ] {
        let message = parse(&text).expect_err(&text).to_string();
        assert!(message.starts_with(&format!("my.yaml:{place}: ")), "{text}\n{message}");
        assert!(message.contains(words), "{text}\n{message}");
    }
    let config = parse(&live("contract: ESZ6, password_file: '', password: a")).unwrap();
    assert!(config.keeps_journal() && config.data_handler.live_settings.password_file.is_none());
    let text = pipeline("runner: inline, pace: {}");
    assert_eq!(
        parse(&text).unwrap().notes(),
        [
            "pipeline.runner and pipeline.pace have no effect in paper and live trading: the stages are pinned, and the market sets the pace.",
        ]
    );
}

#[test]
fn a_variables_value_stays_inside_its_value() {
    let value = "x\nrisk_management:\n  max_position_size: 10000\n# ${HOME} $";
    let text = format!("{SYNTHETIC}output:\n  directory: ${{DIRECTORY}}\n");
    let config = Config::parse(&text, "my.yaml", &variables(&[("DIRECTORY", value)])).unwrap();
    assert_eq!(config.output.directory, Path::new(value));
    assert_eq!(config.risk_management, Config::default().risk_management);
    assert_eq!(parse(&config.to_resolved_yaml()).unwrap(), config);
}

#[test]
fn variables_may_be_of_any_type_and_have_defaults() {
    let text = "system:\n  mode: ${MODE:-live}\n  seed: \"${SEED}\"\nrisk_management:\n  \
                max_position_size: ${SIZE:-7}\noutput: { directory: \"runs/$$${NAME:-a}\" }\n";
    let set = variables(&[("SEED", "9"), ("NAME", "b"), ("SIZE", "")]);
    let config = Config::parse(text, "my.yaml", &set).unwrap();
    assert_eq!((config.system.mode, config.system.seed), (Mode::Live, 9));
    assert_eq!(config.risk_management.max_position_size, 7);
    assert_eq!(config.output.directory, Path::new("runs/$b"));

    let set = variables(&[("SEED", "9"), ("SIZE", "0")]);
    let problems = problems(Config::parse(text, "my.yaml", &set));
    assert_eq!(problems.len(), 1);
    let message = problems[0].to_string();
    assert!(message.starts_with("my.yaml:5:22: `risk_management.max_position_size`"), "{message}");
}

#[test]
fn an_instrument_of_ones_own_is_exact() {
    let config = parse(&format!(
        "{SYNTHETIC}instrument: ZF\ninstruments:\n  - symbol: ZF\n    tick_size: 0.0078125\n    \
         point_value: \"1000\"\n    calendar: always_open\n"
    ))
    .unwrap();
    let instrument = config.instrument().unwrap();
    assert_eq!(instrument.tick_size.to_string(), "0.0078125");
    assert_eq!(instrument.point_value.to_string(), "1000");
    assert_eq!(instrument.calendar, Calendar::AlwaysOpen);
}

#[test]
fn timeframes_are_held_from_the_shortest_to_the_longest() {
    let text = format!("{SYNTHETIC}bars: {{ timeframes: [daily, 30, 5, \"1h\"] }}");
    let expected = [Timeframe::MINUTES_5, Timeframe::MINUTES_30, Timeframe::HOUR, Timeframe::DAILY];
    assert_eq!(parse(&text).unwrap().bars.timeframes, expected);
}

#[test]
fn the_agents_decide_unless_another_is_named() {
    let config = parse(&format!("{SYNTHETIC}rde: {{}}\n")).unwrap();
    assert_eq!(config.strategy.kind, StrategyKind::Marl);
    assert_eq!(config.strategy.timeframe(), None);
    assert!(config.notes().is_empty(), "{:?}", config.notes());
}

#[test]
fn notes_name_only_what_the_file_sets_in_vain() {
    assert!(parse(SYNTHETIC).unwrap().notes().is_empty());
    let config = parse(
        "data_handler: { backtest_settings: { synthetic: {}, roll: volume, format: null } }\n\
         strategy: { kind: random_entries, baseline: {} }\n\
         execution: { slippage: { cross_spread: false, assumed_spread_ticks: 2 } }\n",
    );
    assert_eq!(
        config.unwrap().notes(),
        [
            "strategy.baseline has no effect under strategy.kind: random_entries.",
            "data_handler.backtest_settings.roll has no effect on a synthetic market.",
            "execution.slippage.assumed_spread_ticks has no effect without execution.slippage.cross_spread.",
        ]
    );
    let live = parse("system: { mode: live }\nexecution: { slippage: {}, limit_fill: touch }\n");
    assert_eq!(
        live.unwrap().notes(),
        [
            "execution.slippage and execution.limit_fill have no effect in live trading, where the exchange fills."
        ]
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nothing.yaml");
    let error = Config::load(&path, &HashMap::new()).unwrap_err();
    assert!(matches!(error, ConfigError::Read { .. }));
    assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
    assert!(error.to_string().contains("--config"), "{error}");

    std::fs::write(&path, SYNTHETIC).unwrap();
    assert_eq!(Config::load(&path, &HashMap::new()).unwrap(), parse(SYNTHETIC).unwrap());
    std::fs::write(&path, "rde: 5").unwrap();
    let message = Config::load(&path, &HashMap::new()).unwrap_err().to_string();
    assert!(message.starts_with(&format!("{}:1:6: ", path.display())), "{message}");
}

/// Every leaf of a value by its path, with `[]` for a place in a list of sections.
fn leaves(path: &str, value: &Value, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(keys) => {
            for (key, value) in keys {
                let separator = if path.is_empty() { "" } else { "." };
                leaves(&format!("{path}{separator}{key}"), value, found);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for item in items {
                leaves(&format!("{path}[]"), item, found);
            }
        }
        other => {
            found.insert(path.to_owned(), other.clone());
        }
    }
}

/// Every key of the schema with its default; of an instrument, with an example.
fn schema() -> BTreeMap<String, Value> {
    let mut config = Config::default();
    config.data_handler.backtest_settings.synthetic = Some(Default::default());
    let mut all = value(&config.to_resolved_yaml());
    all["instruments"] = json!([{
        "symbol": "ZN", "description": "", "tick_size": "1", "point_value": "1", "calendar": "always_open"
    }]);
    let with_instrument = parse(&all.to_string()).unwrap();
    let mut found = BTreeMap::new();
    leaves("", &value(&with_instrument.to_resolved_yaml()), &mut found);
    found.insert("data_handler.backtest_settings.synthetic.seed".to_owned(), Value::Null);
    found
}

#[test]
fn backtest_yaml_has_every_key_with_its_default() {
    let mut written = BTreeMap::new();
    let text = BACKTEST.replace("# file_path: data/ES_historical.csv", "file_path: null");
    leaves("", &value(&text), &mut written);
    let mut schema = schema();
    schema.retain(|path, _| !path.starts_with("instruments[]"));
    schema.insert("instruments".to_owned(), json!([]));
    schema.insert("strategy.kind".to_owned(), json!("baseline"));
    schema.insert("data_handler.backtest_settings.synthetic.seed".to_owned(), json!(7));
    let plain = |value: &Value| value.to_string().replace('"', "");
    let written: Vec<_> = written.iter().map(|(path, value)| (path, plain(value))).collect();
    let schema: Vec<_> = schema.iter().map(|(path, value)| (path, plain(value))).collect();
    assert_eq!(written, schema);
    // Every line with a value of its own says what it is.
    for line in BACKTEST.lines().filter(|line| line.contains(": ") && !line.contains('#')) {
        let plain = ["provider", "password", "max_orders_per_second"];
        assert!(plain.iter().any(|key| line.contains(key)), "no comment: {line}");
    }
}

/// Every setting as its table says it, with its default.
fn table() -> Vec<Setting> {
    let mut config = parse(
        "data_handler: { backtest_settings: { synthetic: {} } }
instruments: [{ symbol: ZN, tick_size: 1, point_value: 1, calendar: always_open }]",
    )
    .unwrap();
    config.data_handler.backtest_settings.synthetic = Some(Default::default());
    let mut settings = Vec::new();
    config.visit("", &mut |mut setting| {
        if let Some(name) = setting.path.strip_prefix("instruments[0].") {
            setting.value = if name == "description" { "empty" } else { "required" }.to_owned();
            setting.path = format!("instruments[].{name}");
        }
        settings.push(setting);
    });
    settings
}

#[test]
fn the_documentation_is_the_table() {
    let mut settings = table();
    let mut text = String::new();
    let mut parts = DOCUMENTATION.split("<!-- settings: ");
    text += parts.next().unwrap();
    for part in parts {
        let (sections, rest) = part.split_once(" -->\n").unwrap();
        text += &format!("<!-- settings: {sections} -->\n");
        text += "| key | type | unit | range | default | meaning |\n";
        text += "| --- | --- | --- | --- | --- | --- |\n";
        let sections: Vec<&str> = sections.split(", ").collect();
        settings.retain(|Setting { path, kind, unit, range, value, meaning, .. }| {
            let here =
                sections.iter().any(|section| path.split(['.', '[']).next() == Some(section));
            if here {
                text +=
                    &format!("| `{path}` | {kind} | {unit} | {range} | `{value}` | {meaning} |\n");
            }
            !here
        });
        let old = rest.split_inclusive('\n').take_while(|line| line.starts_with('|'));
        text += &rest[old.map(str::len).sum::<usize>()..];
    }
    assert!(settings.is_empty(), "no place in docs/configuration.md: {settings:?}");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, text).unwrap();
    } else {
        assert!(
            text == DOCUMENTATION,
            "docs/configuration.md is out of date: run UPDATE_DOCS=1 cargo test --test it configuration::"
        );
    }
}

/// The documentation's rows: key, type, range, default.
fn documented() -> BTreeMap<String, (String, String, String)> {
    DOCUMENTATION
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, key, kind, _, range, default, _, _] = cells[..] else { return None };
            let key = key.strip_prefix('`')?.strip_suffix('`')?;
            Some((key.to_owned(), (kind.to_owned(), range.to_owned(), default.to_owned())))
        })
        .collect()
}

#[test]
fn the_documentation_has_every_key_with_its_default() {
    let documented = documented();
    let schema = schema();
    let keys = |of: Vec<&String>| of.into_iter().cloned().collect::<BTreeSet<String>>();
    assert_eq!(keys(documented.keys().collect()), keys(schema.keys().collect()));
    for (key, (_, _, default)) in &documented {
        if key.starts_with("instruments[]") {
            continue;
        }
        let expected = schema[key].to_string().replace('"', "");
        assert_eq!(*default, format!("`{expected}`"), "{key}");
    }
}

/// A configuration with `value` at `path`, and room around it for every value of the documentation.
fn with(path: &str, value: &str) -> Result<Config, ConfigError> {
    let mut keys = BTreeMap::from([
        ("data_handler.backtest_settings.synthetic.days", "20"),
        ("risk_management.max_position_size", "10000"),
        ("strategy.baseline.fast_period", "1"),
        ("indicators.momentum_index.neighbours", "1"),
    ]);
    if path.ends_with("fast_period") {
        keys.insert("strategy.baseline.slow_period", "10000");
    }
    if path.ends_with("neighbours") {
        keys.insert("indicators.momentum_index.capacity", "1048576");
    }
    keys.insert(path, value);
    let mut tree = json!({});
    for (path, value) in keys {
        let place = path.split('.').fold(&mut tree, |tree, key| &mut tree[key]);
        *place = json!(format!("@{value}@"));
    }
    // JSON is YAML; the value itself is spliced in as it is.
    parse(&tree.to_string().replace("\"@", "").replace("@\"", ""))
}

#[test]
fn the_documented_ranges_are_those_enforced() {
    let mut ranges = 0;
    for (key, (kind, range, _)) in documented() {
        let names: Vec<&str> = range.split(", ").collect();
        if names.iter().all(|name| name.len() > 1 && name.starts_with('`')) {
            if key.starts_with("instruments[]") {
                continue;
            }
            for name in names {
                assert!(with(&key, name.trim_matches('`')).is_ok(), "{key} {name}");
            }
            assert!(with(&key, "nonsense").is_err(), "{key}");
            continue;
        }
        let (above, bounds) = match range.strip_prefix("above ") {
            Some(bounds) => (true, bounds),
            None => (false, range.as_str()),
        };
        let Some((low, high)) = bounds.split_once(" to ") else { continue };
        let (Ok(low_value), Ok(high_value)) = (low.parse::<f64>(), high.parse::<f64>()) else {
            continue;
        };
        ranges += 1;
        assert_eq!(with(&key, low).is_ok(), !above, "{key} {low}");
        with(&key, high).unwrap_or_else(|error| panic!("{error}"));
        let step = if low.contains('.') || high_value <= 1.0 { 0.001 } else { 1.0 };
        let mut bad: Vec<String> = [".nan", ".inf", "-.inf", "-1", "many", "true", "null", "[]"]
            .map(str::to_owned)
            .to_vec();
        bad.push((low_value - step).to_string());
        if high != u64::MAX.to_string() {
            bad.push((high_value + step).to_string());
        }
        bad.push("18446744073709551616".to_owned());
        for bad in bad {
            if bad == "null" && kind.ends_with("or `null`") {
                continue;
            }
            let problems = problems(with(&key, &bad));
            assert!(problems[0].message.contains(&key), "{bad}: {problems:?}");
            let text = &problems[0].snippet;
            let at_value: String = text.chars().skip(problems[0].column as usize - 1).collect();
            assert!(at_value.starts_with(&bad), "{key} {bad}: {problems:?}");
        }
    }
    assert_eq!(ranges, 71, "ranges in docs/configuration.md that this test understands");
}

#[test]
fn the_documentations_own_examples_are_true() {
    let smallest = DOCUMENTATION.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    parse(smallest).unwrap();
    let matrices = DOCUMENTATION.split("```yml\n").nth(1).unwrap().split("```").next().unwrap();
    parse(&format!("{SYNTHETIC}\n{matrices}")).unwrap();
    let error = DOCUMENTATION.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let text = format!("{SYNTHETIC}\n\n\n\n\nrisk_management:\n  max_daily_drawdown: 5\n");
    let message = Config::parse(&text, "prod.yaml", &HashMap::new()).unwrap_err().to_string();
    assert_eq!(message, error.trim_end());
}

/// Texts that look like a configuration more often than random ones do.
fn yaml_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("system:".to_owned()),
        Just("  mode: live".to_owned()),
        Just("bars: { timeframes: [5, ".to_owned()),
        Just("\"${A:-".to_owned()),
        Just("instruments:\n  - &a { symbol: ".to_owned()),
        Just("<<: *a".to_owned()),
        Just("!!binary x".to_owned()),
        Just("? ".to_owned()),
        Just("- ".to_owned()),
        Just(": |\n".to_owned()),
        Just("[[{".to_owned()),
        "[ -~\n\t]{0,8}",
        any::<String>(),
    ];
    proptest::collection::vec((piece, any::<bool>()), 0..12).prop_map(|pieces| {
        pieces.into_iter().map(|(piece, end)| if end { piece + "\n" } else { piece }).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in prop_oneof![any::<String>(), yaml_like()]) {
        if let Err(error) = parse(&text) {
            prop_assert!(error.to_string().starts_with("my.yaml:"), "{error}");
        }
    }

    #[test]
    fn no_change_to_a_good_file_panics(at in 0..BACKTEST.len(), to in any::<char>(), cut in 0usize..40) {
        let end = (at + cut).min(BACKTEST.len());
        let text = format!("{}{to}{}", &BACKTEST[..at], &BACKTEST[end..]);
        if let Ok(config) = parse(&text) {
            // Compared as text, since a login does not come back.
            let resolved = config.to_resolved_yaml();
            prop_assert_eq!(parse(&resolved).unwrap().to_resolved_yaml(), resolved);
        }
    }

    #[test]
    fn a_resolved_configuration_loads_back_the_same(
        seed in any::<u64>(),
        own_seed in any::<Option<u64>>(),
        drawdown in 1e-12..=1.0f64,
        threshold in 0.0..=1.0f64,
        directory in "[^\u{0}]{1,120}",
        capital in 1_000_000_000i64..=1_000_000_000_000_000_000,
        flatten in proptest::option::of(1u32..=1380),
        minutes in proptest::sample::subsequence(vec![1u32, 2, 5, 15, 60, 1440], 0..=6),
        mode in 0..3usize,
        source in any::<bool>(),
    ) {
        use algospace_hft::market::Money;
        let mut config = Config::default();
        config.system.mode = [Mode::Backtest, Mode::Paper, Mode::Live][mode];
        config.system.seed = seed;
        let backtest = &mut config.data_handler.backtest_settings;
        if source {
            backtest.file_path = Some(directory.clone().into());
            backtest.contract = Some(directory.clone());
        } else {
            let own_seed = Some(own_seed.unwrap_or(seed));
            backtest.synthetic =
                Some(SyntheticSettings { seed: own_seed, ..Default::default() });
        }
        config.risk_management.max_daily_drawdown = drawdown;
        config.marl_core.mc_dropout.confidence_threshold = threshold;
        config.output.directory = directory.into();
        config.account.initial_capital = Money::from_nanos(capital);
        config.execution.flatten_before_close_minutes = flatten;
        config.bars.timeframes =
            minutes.iter().map(|&minutes| Timeframe::from_minutes(minutes).unwrap()).collect();
        if !config.bars.timeframes.contains(&Timeframe::MINUTES_5) {
            config.bars.timeframes.push(Timeframe::MINUTES_5);
            config.bars.timeframes.sort_unstable();
        }
        let yaml = config.to_resolved_yaml();
        let again = parse(&yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
        prop_assert_eq!(&again, &config);
        prop_assert_eq!(again.to_resolved_yaml(), yaml);
    }
}

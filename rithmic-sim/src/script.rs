//! Scripts: the faults that a gateway shows, and the habits in which gateways differ.

use std::path::{Path, PathBuf};
use std::time::Duration;

use algospace_hft::config::{ConfigError, parse_document};
use algospace_hft::market::{Side, Timestamp};
use algospace_hft_rithmic::link::Plant;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// The behaviour of a gateway beyond what is asked of it. The default is one without faults.
///
/// A script is a value: a machine that is given the same script, market and input does the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script {
    /// The seed of what is random in it.
    pub seed: u64,
    /// Stops of the market's clock.
    pub pause: Option<Pause>,
    /// Habits that last for the whole run.
    pub quirks: Quirks,
    /// Faults, each of which happens once.
    pub faults: Vec<Fault>,
}

/// Stops of the market's clock behind the first trade of each bar, in which a client can answer
/// that bar before the next trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// The length of the bars in seconds, above zero. They are counted from 1970.
    pub bar_seconds: u32,
    /// The time for which the market's clock stops, by the caller's clock.
    pub length: Duration,
}

/// Habits of a gateway.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Quirks {
    /// The share of single trades that history lacks, from 0 to 1. Minutes have them all.
    #[serde(deserialize_with = "share")]
    pub tick_replay_loss: f64,
    /// The share of trades, from 0 to 1, that a last trade without a price follows: a statistic.
    #[serde(deserialize_with = "share")]
    pub price_less_trades: f64,
    /// `true`: history has nothing, as that of an expired contract.
    pub history_empty: bool,
    /// Rows after which an answer of the history plant is cut, at least 1.
    #[serde(deserialize_with = "rows")]
    pub history_rows: usize,
    /// The answer to a request for the working orders.
    pub show_orders: ShowOrders,
    /// `true`: a request to exit a position leaves the working orders of the contract as they are,
    /// as a user of Rithmic reports it. `false`: it cancels them.
    pub exit_leaves_orders: bool,
    /// `true`: a stop that waits is told as open, too, after it was told as waiting.
    pub stops_open: bool,
    /// The share of entries, from 0 to 1, whose bracket's orders are never made.
    #[serde(deserialize_with = "share")]
    pub bracket_loss: f64,
    /// The share of fills, from 0 to 1, that no 352 tells. History has them all.
    #[serde(deserialize_with = "share")]
    pub fill_loss: f64,
    /// The share of fills, from 0 to 1, that two 352 tell.
    #[serde(deserialize_with = "share")]
    pub fill_repeat: f64,
}

/// The answer to a request for the working orders.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum ShowOrders {
    /// The orders, and then the answer.
    #[default]
    RowsThenAnswer,
    /// The answer, and then the orders.
    AnswerThenRows,
    /// The answer alone, as if there were no orders.
    AnswerAlone,
}

impl Default for Quirks {
    fn default() -> Quirks {
        Quirks {
            tick_replay_loss: 0.0,
            price_less_trades: 0.0,
            history_empty: false,
            history_rows: 10_000,
            show_orders: ShowOrders::default(),
            exit_leaves_orders: true,
            stops_open: false,
            bracket_loss: 0.0,
            fill_loss: 0.0,
            fill_repeat: 0.0,
        }
    }
}

/// A fault: its occasion, the connections that it meets, and what happens.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The occasion.
    pub when: When,
    /// The plant whose connections it meets. `None`: the connection whose request is the occasion,
    /// or all connections.
    pub plant: Option<Plant>,
    /// The effect.
    pub action: Action,
}

/// The occasion of a fault.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// The market has shown that many trades since it began, at least 1.
    Ticks(u64),
    /// The account has had that many fills, at least 1. The last of them is not told yet.
    Fills(u64),
    /// The market's time.
    Time(Timestamp),
    /// A request.
    Request {
        /// The plant that is asked; `None`: any.
        plant: Option<Plant>,
        /// The request's template number.
        template: i32,
        /// Which of these requests, from 1.
        nth: u32,
        /// The moment.
        at: Moment,
    },
}

/// A moment in the life of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Before the gateway has read it: nothing comes of it.
    BeforeRequest,
    /// The gateway has done what it asks, and the reply has not left.
    #[default]
    BeforeReply,
    /// The reply has left.
    AfterReply,
}

/// The effect of a fault. Times are of the caller's clock, except for [`Action::Halt`].
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// The connections close in order.
    Drop,
    /// The connections break.
    Reset,
    /// Nothing is sent for that long, and requests are not read. The connections stay. Without a
    /// plant, new connections are mute as well.
    Mute(Duration),
    /// The gateway logs the connections out (template 77) and closes them.
    ForcedLogout,
    /// The request is refused with that code and text.
    Reject {
        /// The code.
        code: String,
        /// The text.
        text: String,
    },
    /// Connections are refused.
    RefuseConnections {
        /// For at least that long.
        span: Duration,
        /// At least that many.
        count: u32,
    },
    /// The next trades, that many, are not told. The volume counts them.
    Lose(u32),
    /// The next trades, that many, are told twice.
    Duplicate(u32),
    /// The next trades, that many, come in reverse order, with the last of them.
    Reorder(u32),
    /// A frame comes that nobody understands.
    Garble(Garbage),
    /// All frames come late for a while. Their order stays.
    Slow {
        /// The delay of each frame.
        delay: Duration,
        /// The time for which frames are delayed.
        span: Duration,
    },
    /// Frames wait that long, and come at once.
    Stall(Duration),
    /// Trading is halted for that long in the market's time: its trades never happen.
    Halt(Duration),
    /// The gateway's clock steps by that many nanoseconds. The exchange's does not.
    ClockStep(i64),
    /// Somebody else trades in the account at the market, in the contract in front.
    ForeignOrder {
        /// Bought or sold.
        side: Side,
        /// Contracts.
        count: u32,
    },
}

/// A frame that nobody understands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Garbage {
    /// A frame that ends too early.
    #[default]
    Truncated,
    /// A frame of 3 GB, by its length.
    Giant,
    /// A message of template 358, which is in no list.
    UnknownTemplate,
    /// A WebSocket message of text.
    Text,
}

/// The reason that a script cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The file cannot be read.
    #[error("{path}: the script cannot be read: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        error: std::io::Error,
    },
    /// The text is no script.
    #[error(transparent)]
    Invalid(#[from] ConfigError),
}

impl Script {
    /// Reads the script of a file: YAML, which `docs/rithmic-sim.md` describes.
    ///
    /// # Errors
    /// If the file cannot be read, or as [`Script::parse`].
    pub fn load(path: &Path) -> Result<Script, ScriptError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ScriptError::Read { path: path.to_owned(), error })?;
        Ok(Script::parse(&text, &path.display().to_string())?)
    }

    /// Reads a script; `name` stands for the file in errors.
    ///
    /// # Errors
    /// If the text is not YAML or empty, or has unknown keys or impossible values: each with its
    /// line, and with what is allowed there.
    pub fn parse(text: &str, name: &str) -> Result<Script, ConfigError> {
        let check = |document: &Document| {
            let faults = document.faults.iter().enumerate();
            faults.flat_map(|(place, fault)| fault.problems(place)).collect()
        };
        let document: Document = parse_document(text, name, check)?;
        let Document { seed, market, quirks, faults } = document;
        let length = market.pause;
        let pause = market.pause_at_bar_seconds.map(|bar_seconds| Pause { bar_seconds, length });
        let faults = faults.iter().map(FaultText::fault).collect();
        Ok(Script { seed, pause, quirks, faults })
    }
}

impl Default for Pause {
    /// A minute, and the usual stop.
    fn default() -> Pause {
        Pause { bar_seconds: 60, length: Duration::from_millis(50) }
    }
}

/// A script as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Document {
    #[serde(deserialize_with = "seed")]
    seed: u64,
    market: MarketText,
    quirks: Quirks,
    faults: Vec<FaultText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MarketText {
    #[serde(deserialize_with = "bar_seconds")]
    pause_at_bar_seconds: Option<u32>,
    #[serde(deserialize_with = "span")]
    pause: Duration,
}

impl Default for MarketText {
    fn default() -> MarketText {
        MarketText { pause_at_bar_seconds: None, pause: Pause::default().length }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultText {
    when: WhenText,
    r#do: String,
    #[serde(default)]
    plant: Option<PlantText>,
    #[serde(default, rename = "for", deserialize_with = "some_span")]
    span: Option<Duration>,
    #[serde(default, deserialize_with = "some_span")]
    delay: Option<Duration>,
    #[serde(default, deserialize_with = "step")]
    by: Option<i64>,
    #[serde(default, deserialize_with = "count")]
    count: Option<u32>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default, rename = "as")]
    garbage: Option<Garbage>,
    #[serde(default)]
    side: Option<SideText>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SideText {
    Buy,
    Sell,
}

impl From<SideText> for Side {
    fn from(text: SideText) -> Side {
        match text {
            SideText::Buy => Side::Buy,
            SideText::Sell => Side::Sell,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct WhenText {
    #[serde(deserialize_with = "ticks")]
    after_ticks: Option<u64>,
    #[serde(deserialize_with = "ticks")]
    after_fills: Option<u64>,
    #[serde(deserialize_with = "time")]
    time: Option<Timestamp>,
    plant: Option<PlantText>,
    #[serde(deserialize_with = "template")]
    template: Option<i32>,
    #[serde(deserialize_with = "count")]
    nth: Option<u32>,
    at: Option<Moment>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PlantText {
    Ticker,
    Orders,
    History,
    Pnl,
}

impl From<PlantText> for Plant {
    fn from(text: PlantText) -> Plant {
        match text {
            PlantText::Ticker => Plant::Ticker,
            PlantText::Orders => Plant::Orders,
            PlantText::History => Plant::History,
            PlantText::Pnl => Plant::Pnl,
        }
    }
}

/// An action as it is written.
struct ActionText {
    name: &'static str,
    /// Keys that it must have, beside `when` and `do`.
    needs: &'static [&'static str],
    /// Keys that it may have.
    may: &'static [&'static str],
    /// Creates it of a fault that has those keys.
    create: fn(&FaultText) -> Action,
}

/// The actions, and the keys of each.
const ACTIONS: [ActionText; 15] = [
    ActionText { name: "drop", needs: &[], may: &["plant"], create: |_| Action::Drop },
    ActionText { name: "reset", needs: &[], may: &["plant"], create: |_| Action::Reset },
    ActionText {
        name: "mute",
        needs: &["for"],
        may: &["plant"],
        create: |fault| Action::Mute(fault.span()),
    },
    ActionText {
        name: "forced_logout",
        needs: &[],
        may: &["plant"],
        create: |_| Action::ForcedLogout,
    },
    ActionText {
        name: "reject",
        needs: &["code", "text"],
        may: &[],
        create: |fault| Action::Reject {
            code: fault.code.clone().unwrap_or_default(),
            text: fault.text.clone().unwrap_or_default(),
        },
    },
    ActionText {
        name: "refuse_connections",
        needs: &[],
        may: &["for", "count"],
        create: |fault| {
            let count = fault.count.unwrap_or(u32::from(fault.span.is_none()));
            Action::RefuseConnections { span: fault.span(), count }
        },
    },
    ActionText {
        name: "lose",
        needs: &["count"],
        may: &[],
        create: |fault| Action::Lose(fault.count()),
    },
    ActionText {
        name: "duplicate",
        needs: &["count"],
        may: &[],
        create: |fault| Action::Duplicate(fault.count()),
    },
    ActionText {
        name: "reorder",
        needs: &["count"],
        may: &[],
        create: |fault| Action::Reorder(fault.count()),
    },
    ActionText {
        name: "garble",
        needs: &[],
        may: &["as", "plant"],
        create: |fault| Action::Garble(fault.garbage.unwrap_or_default()),
    },
    ActionText {
        name: "slow",
        needs: &["delay", "for"],
        may: &["plant"],
        create: |fault| Action::Slow { delay: fault.delay.unwrap_or_default(), span: fault.span() },
    },
    ActionText {
        name: "stall",
        needs: &["for"],
        may: &["plant"],
        create: |fault| Action::Stall(fault.span()),
    },
    ActionText {
        name: "halt",
        needs: &["for"],
        may: &[],
        create: |fault| Action::Halt(fault.span()),
    },
    ActionText {
        name: "clock_step",
        needs: &["by"],
        may: &[],
        create: |fault| Action::ClockStep(fault.by.unwrap_or(0)),
    },
    ActionText {
        name: "foreign_order",
        needs: &["side"],
        may: &["count"],
        create: |fault| Action::ForeignOrder {
            side: fault.side.map_or(Side::Buy, Side::from),
            count: fault.count(),
        },
    },
];

impl FaultText {
    fn span(&self) -> Duration {
        self.span.unwrap_or_default()
    }

    fn count(&self) -> u32 {
        self.count.unwrap_or(1)
    }

    /// The keys that only some actions have, and whether this has them.
    fn keys(&self) -> [(&'static str, bool); 9] {
        [
            ("plant", self.plant.is_some()),
            ("for", self.span.is_some()),
            ("delay", self.delay.is_some()),
            ("by", self.by.is_some()),
            ("count", self.count.is_some()),
            ("code", self.code.is_some()),
            ("text", self.text.is_some()),
            ("as", self.garbage.is_some()),
            ("side", self.side.is_some()),
        ]
    }

    fn action(&self) -> Option<&'static ActionText> {
        ACTIONS.iter().find(|action| action.name == self.r#do)
    }

    /// Returns the problems of the fault at that place, with their paths.
    fn problems(&self, place: usize) -> Vec<(String, String)> {
        let path = format!("faults[{place}]");
        let mut problems = self.when.problems(&path);
        let Some(ActionText { name, needs, may, .. }) = self.action() else {
            let names = ACTIONS.map(|action| action.name).join(", ");
            let message = format!("`{path}.do`: `{}` is not one of {names}", self.r#do);
            problems.push((format!("{path}.do"), message));
            return problems;
        };
        for (key, is_set) in self.keys() {
            let is_needed = needs.contains(&key);
            if is_set && !is_needed && !may.contains(&key) {
                let keys = [&["when", "do"], *needs, *may].concat().join(", ");
                let message = format!("`{path}`: `{name}` has no `{key}`; its keys are {keys}");
                problems.push((format!("{path}.{key}"), message));
            } else if is_needed && !is_set {
                let message = format!("`{path}`: `{name}` needs the key `{key}`: add it");
                problems.push((format!("{path}.do"), message));
            }
        }
        let is_late = self.when.at == Some(Moment::AfterReply);
        if *name == "reject" && (self.when.template.is_none() || is_late) {
            let message = format!(
                "`{path}`: `reject` answers a request: `when` must name its `template`, and its \
                 `at` may not be after_reply"
            );
            problems.push((format!("{path}.when"), message));
        }
        problems
    }

    fn fault(&self) -> Fault {
        let action = self.action().map_or(Action::Drop, |action| (action.create)(self));
        Fault { when: self.when.when(), plant: self.plant.map(Plant::from), action }
    }
}

impl WhenText {
    fn problems(&self, path: &str) -> Vec<(String, String)> {
        let numbers = [self.after_ticks.is_some(), self.after_fills.is_some()];
        let others = [self.time.is_some(), self.template.is_some()];
        let occasions = [numbers, others].concat();
        let has_request = self.plant.is_some() || self.nth.is_some() || self.at.is_some();
        let message = if occasions.iter().filter(|is_set| **is_set).count() != 1 {
            "must have one of after_ticks, after_fills, time and template"
        } else if has_request && self.template.is_none() {
            "`plant`, `nth` and `at` belong to `template`"
        } else {
            return Vec::new();
        };
        vec![(format!("{path}.when"), format!("`{path}.when`: {message}"))]
    }

    fn when(&self) -> When {
        match (self.after_ticks, self.after_fills, self.time) {
            (Some(ticks), ..) => When::Ticks(ticks),
            (_, Some(fills), _) => When::Fills(fills),
            (.., Some(time)) => When::Time(time),
            _ => When::Request {
                plant: self.plant.map(Plant::from),
                template: self.template.unwrap_or(0),
                nth: self.nth.unwrap_or(1),
                at: self.at.unwrap_or_default(),
            },
        }
    }
}

/// Reads a scalar as text.
fn scalar<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    allowed: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    read(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is invalid: {allowed}")))
}

/// Reads a whole number of a range.
fn whole<'de, D: Deserializer<'de>>(
    deserializer: D,
    (least, most): (u64, u64),
) -> Result<u64, D::Error> {
    let allowed = format!("a whole number from {least} to {most} is expected");
    scalar(deserializer, &allowed, |text| {
        text.parse().ok().filter(|number| (least..=most).contains(number))
    })
}

fn seed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    whole(deserializer, (0, u64::MAX))
}

fn rows<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    Ok(whole(deserializer, (1, 1_000_000_000))? as usize)
}

fn ticks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    whole(deserializer, (1, u64::MAX)).map(Some)
}

fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    Ok(Some(whole(deserializer, (1, 1_000_000))? as u32))
}

fn bar_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    Ok(Some(whole(deserializer, (1, 86_400))? as u32))
}

fn template<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i32>, D::Error> {
    Ok(Some(whole(deserializer, (10, 9_999))? as i32))
}

fn share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    scalar(deserializer, "a share from 0 to 1 is expected, such as 0.02", |text| {
        text.parse().ok().filter(|share| (0.0..=1.0).contains(share))
    })
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let allowed = "a time such as 2024-01-03T14:30:00Z is expected";
    scalar(deserializer, allowed, |text| text.parse().ok()).map(Some)
}

fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let allowed = "a time such as 250ms, 12s, 5m or 1h is expected";
    scalar(deserializer, allowed, |text| {
        let nanos = nanoseconds(text)?;
        u64::try_from(nanos).ok().map(Duration::from_nanos)
    })
}

fn some_span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    span(deserializer).map(Some)
}

fn step<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    scalar(deserializer, "a time such as 250ms, 5s or -5s is expected", nanoseconds).map(Some)
}

/// Returns the nanoseconds of a text such as `12s`: at most a week, either way.
fn nanoseconds(text: &str) -> Option<i64> {
    const WEEK: i64 = 7 * 86_400_000_000_000;
    let place = text.find(|letter: char| letter.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(place);
    let unit = match unit {
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let nanos = number.parse::<i64>().ok()?.checked_mul(unit)?;
    (-WEEK..=WEEK).contains(&nanos).then_some(nanos)
}

//! The simulator in this process, and paper sessions over it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;

use algospace_hft::bars::BarBuilder;
use algospace_hft::config::Config;
use algospace_hft::engine::{Action, Entry, Event, Output, Sink};
use algospace_hft::journal::Journal;
use algospace_hft::live::{PaperError, Watch, run_paper};
use algospace_hft::market::{Bar, BarFlags, Calendar, Gap, GapPhase, Tick, Timestamp};
use algospace_hft::performance::{Maker, RunRecord, WallTimes, hold_run_directory};
use algospace_hft::run::JournalChain;
use algospace_hft::source::native::TickFile;
use algospace_hft::source::synthetic::write_file;
use algospace_hft::source::synthetic::{Settings as Made, SyntheticMarket, SyntheticSettings};
use rithmic_sim::{Gateway, Market, Server, Settings};

/// The texts that no output may show: user, password and system.
pub const SECRETS: [&str; 3] = ["somebody", "hunter2", "Secret System"];

/// A simulator on a thread of its own, until it is dropped.
pub struct Simulator {
    /// Its address: `ws://localhost:1234`.
    pub url: String,
    /// The contract in front.
    pub contract: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Gateway>>,
}

impl Simulator {
    /// Starts one that shows the ticks of a file as fast as they are taken.
    pub fn start(file: &Path) -> Simulator {
        Simulator::with(file, |_| ())
    }

    /// Starts one with other settings.
    pub fn with(file: &Path, change: impl FnOnce(&mut Settings)) -> Simulator {
        Simulator::from(file, None, change)
    }

    /// Starts one with other settings, whose market begins at that time. What lies before is
    /// history.
    pub fn from(
        file: &Path,
        begin: Option<Timestamp>,
        change: impl FnOnce(&mut Settings),
    ) -> Simulator {
        let [user, password, system] = SECRETS.map(str::to_owned);
        let speed = f64::INFINITY;
        let mut settings = Settings { user, password, system, speed, ..Settings::default() };
        change(&mut settings);
        let mut market = Market::of_file(TickFile::open(file).unwrap()).unwrap();
        begin.iter().for_each(|time| market.start_at(*time));
        let contract = market.symbols()[usize::from(market.front())].clone();
        let gateway = Gateway::new(settings, market);
        let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), None, gateway).unwrap();
        let (url, stop) = (server.url(), Arc::new(AtomicBool::new(false)));
        let flag = Arc::clone(&stop);
        let thread = Some(std::thread::spawn(move || server.run(&flag, |_| ()).unwrap()));
        Simulator { url, contract, stop, thread }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}

/// Writes a synthetic market of some days into a folder, and returns its file's path.
pub fn market(folder: &Path, days: u32, trades_per_day: u32) -> std::path::PathBuf {
    let path = folder.join("market.ticks");
    let market = SyntheticSettings::new(SyntheticMarket::Regimes, days, trades_per_day);
    let settings = Made { write_regimes: false, ..Made::new(market, 5) };
    write_file(settings, &path, &AtomicBool::new(false), |_, _| {}).unwrap();
    path
}

/// The rule that most tests trade by.
pub const RULE: &str = "strategy: { kind: random_entries, random_entries: { entries_per_hundred_bars: 60, hold_bars: 3 } }";

/// Returns the configuration of a run by `rule`: of a backtest of a file, or of a paper session at
/// a gateway.
pub fn config(mode: &str, input: &str, rule: &str, folder: &Path) -> Config {
    Config::parse(&yaml(mode, input, rule, folder), "test", &Default::default()).unwrap()
}

/// Returns the same as text.
pub fn yaml(mode: &str, input: &str, rule: &str, folder: &Path) -> String {
    let input = match mode {
        "paper" => format!(
            "live_settings: {{ user: somebody, password: hunter2, system_name: Secret System, \
             gateway: '{input}', login_spacing_milliseconds: 0, history_patience_seconds: 0, \
             simulated_pace: true }}"
        ),
        _ => format!("backtest_settings: {{ file_path: '{input}' }}"),
    };
    format!(
        "system: {{ mode: {mode} }}
data_handler: {{ {input} }}
{rule}
pipeline: {{ journal: true, wait: sleep }}
output: {{ directory: '{}' }}
",
        folder.display()
    )
}

pub fn watch(config: &Config) -> Watch {
    Watch::new(config, &config.instrument().unwrap())
}

/// The outputs of a session up to the first bar that ends at some time or later; there it stops the
/// session.
pub struct Until<'a> {
    pub time: Timestamp,
    pub stop: Arc<AtomicBool>,
    pub watch: &'a Watch,
    pub bars: Vec<Bar>,
    pub actions: Vec<Action>,
}

impl<'a> Until<'a> {
    pub fn new(time: Timestamp, watch: &'a Watch) -> Until<'a> {
        Until { time, stop: Arc::default(), watch, bars: Vec::new(), actions: Vec::new() }
    }

    /// Runs a paper session until then; it fails if the session takes longer than anybody waits.
    pub fn run(&mut self, config: &Config) -> Result<RunRecord, PaperError> {
        let held = hold_run_directory(&config.output.directory).unwrap();
        let log =
            |line: &str| assert!(!SECRETS.iter().any(|secret| line.contains(secret)), "{line}");
        let (stop, watch) = (Arc::clone(&self.stop), self.watch);
        let (done, waits) = channel::<()>();
        let flag = Arc::clone(&stop);
        let watchdog = std::thread::spawn(move || {
            let is_late = waits.recv_timeout(Duration::from_secs(120)).is_err();
            flag.fetch_or(is_late, Ordering::Relaxed);
            is_late
        });
        let record = run_paper(&held, config, self, watch, &stop, &log)?;
        let _ = done.send(());
        assert!(!watchdog.join().unwrap(), "the session did not come to {}", self.time);
        let times = WallTimes { started: Timestamp::now(), finished: Timestamp::now() };
        held.write(Maker::Run, &record, times).unwrap();
        Ok(record)
    }
}

impl Sink for Until<'_> {
    fn output(&mut self, output: &Output<'_>) {
        self.watch.output(output);
        if self.stop.load(Ordering::Relaxed) {
            return;
        }
        match output {
            Output::Bar(bar) => {
                self.bars.push(*bar);
                self.stop.fetch_or(bar.end >= self.time, Ordering::Relaxed);
            }
            Output::Action(action) => self.actions.push(*action),
            _ => {}
        }
    }
}

/// Returns the actions that a run has journaled.
pub fn actions(journal: &Path) -> Vec<Action> {
    let journal = Journal::open(journal).unwrap();
    let action =
        |entry| if let Some(Entry::Action(_, action)) = entry { Some(action) } else { None };
    journal.records().map(|it| action(Entry::of(&it))).filter_map(Result::unwrap).collect()
}

/// Returns the events that a chain of journals has.
pub fn events(folder: &Path) -> Vec<Event> {
    JournalChain::open(folder).unwrap().events().map(|it| it.unwrap().1).collect()
}

/// Returns the events of a file.
pub fn whole(file: &TickFile) -> Vec<Event> {
    file.ticks().iter().copied().map(Event::Tick).collect()
}

/// Returns the ticks among events.
pub fn ticks(events: &[Event]) -> Vec<Tick> {
    let tick = |event: &Event| if let Event::Tick(tick) = event { Some(*tick) } else { None };
    events.iter().filter_map(tick).collect()
}

/// Returns the bars of events, as nothing but the builder of bars makes them.
pub fn bars<'a>(config: &Config, events: impl IntoIterator<Item = &'a Event>) -> Vec<Bar> {
    let fill = i64::from(config.bars.fill_gaps_up_to_minutes) * Timestamp::MINUTE;
    let mut builder = BarBuilder::new(&config.bars.timeframes, Calendar::CmeEquityIndex, fill);
    let mut bars = Vec::new();
    for event in events {
        match event {
            Event::Tick(tick) => drop(builder.on_tick(tick, &mut |bar| bars.push(*bar))),
            Event::Gap(gap) => builder.on_gap(gap),
            Event::Timer(now) => builder.on_session_end(*now, &mut |bar| bars.push(*bar)),
            _ => {}
        }
    }
    bars
}

/// Returns the numbers of bars that are those of the whole file, and of those that are flagged.
/// `events` are those of which the bars were made.
///
/// # Panics
/// If a bar is neither, or one is absent that overlaps no gap.
pub fn equal_or_flagged(seen: &[Bar], events: &[Event], whole: &[Bar]) -> (usize, usize) {
    let by_key = |bars: &[Bar]| -> HashMap<_, Bar> {
        bars.iter().map(|bar| ((bar.timeframe, bar.start), *bar)).collect()
    };
    let (right, there) = (by_key(whole), by_key(seen));
    let is_right = |bar: &&Bar| right.get(&(bar.timeframe, bar.start)) == Some(*bar);
    let (equal, others): (Vec<&Bar>, Vec<&Bar>) = seen.iter().partition(is_right);
    for bar in &others {
        let right = right.get(&(bar.timeframe, bar.start));
        assert!(bar.flags.any(BarFlags::INCOMPLETE), "{bar:?}, but the file has {right:?}");
    }
    let gap = |event: &Event| match event {
        Event::Gap(gap) if gap.phase == GapPhase::Closed && !gap.is_recovered() => Some(*gap),
        _ => None,
    };
    let gaps: Vec<Gap> = events.iter().filter_map(gap).collect();
    let last = seen.last().map_or(Timestamp::MIN, |bar| bar.end);
    for (key, bar) in right.iter().filter(|(_, bar)| bar.end <= last) {
        let is_lost = gaps.iter().any(|gap| gap.from < bar.end && bar.start <= gap.to);
        assert!(there.contains_key(key) || is_lost, "{bar:?} is absent, and no gap is told");
    }
    (equal.len(), others.len())
}

//! A paper session against a small gateway: it is the backtest of the same ticks, and its journal
//! gives it again.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use algospace_hft::config::Config;
use algospace_hft::engine::{Event, Output, Sink};
use algospace_hft::live::{PaperError, Watch, run_paper};
use algospace_hft::market::{Price, Side, Tick, Timestamp};
use algospace_hft::performance::{Maker, RunRecord, WallTimes, hold_run_directory};
use algospace_hft::run::{JournalChain, replay_journal, run_backtest};
use algospace_hft_rithmic::wire::{Incoming, Template, decode, encode, rti};
use tungstenite::{Message, WebSocket};

use crate::assembly::TICK_SIZE;

type Client = WebSocket<TcpStream>;

fn send<M: Template>(client: &mut Client, message: &M) {
    client.send(Message::Binary(encode(message, None).into())).unwrap();
}

/// Starts a gateway that refuses logins with `refusal`, or sends `ticks` to its subscribers. It
/// sets `stop` if the client is still there long after that. Returns its address.
fn gateway(ticks: Vec<Tick>, refusal: Option<&'static str>, stop: Arc<AtomicBool>) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = format!("ws://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let (ticks, stop) = (ticks.clone(), stop.clone());
            std::thread::spawn(move || {
                if let Ok(client) = tungstenite::accept(stream) {
                    serve(client, &ticks, refusal, &stop);
                }
            });
        }
    });
    address
}

fn serve(mut client: Client, ticks: &[Tick], refusal: Option<&str>, stop: &AtomicBool) {
    loop {
        let frame = match client.read() {
            Ok(Message::Binary(frame)) => frame,
            Ok(Message::Close(_)) => return,
            Ok(_) => continue,
            Err(_) => return stop.store(true, Ordering::Relaxed),
        };
        let Ok(Incoming::Other(envelope, _)) = decode(&frame[4..]) else { panic!() };
        let number = vec![envelope.request.map_or_else(String::new, |number| number.to_string())];
        let fine = vec!["0".to_owned()];
        match envelope.template {
            10 => {
                let mut answer = rti::ResponseLogin::default();
                (answer.user_msg, answer.heartbeat_interval) = (number, Some(30.0));
                answer.rp_code =
                    refusal.map_or(fine, |text| vec!["13".to_owned(), text.to_owned()]);
                send(&mut client, &answer);
            }
            113 => {
                let mut answer = rti::ResponseFrontMonthContract::default();
                (answer.user_msg, answer.rp_code) = (number, fine);
                answer.trading_symbol = Some("ESZ6".to_owned());
                send(&mut client, &answer);
            }
            100 => {
                let mut answer = rti::ResponseMarketDataUpdate::default();
                (answer.user_msg, answer.rp_code) = (number, fine);
                send(&mut client, &answer);
                let mut mode = rti::MarketMode::default();
                (mode.symbol, mode.exchange) = (Some("ESZ6".to_owned()), Some("CME".to_owned()));
                mode.market_mode = Some("Open".to_owned());
                send(&mut client, &mode);
                send_market(&mut client, ticks);
            }
            _ => {}
        }
    }
}

/// Sends quotes and trades, with the volume of each session.
fn send_market(client: &mut Client, ticks: &[Tick]) {
    let calendar = algospace_hft::market::Calendar::CmeEquityIndex;
    let (mut session, mut volume) = (None, 0);
    for tick in ticks {
        let of = calendar.session_at(tick.time).map(|session| session.open);
        if of != session {
            (session, volume) = (of, 0);
        }
        volume += u64::from(tick.size);
        let (seconds, nanos) =
            (tick.time.nanos() / 1_000_000_000, tick.time.nanos() % 1_000_000_000);
        let name = (Some("ESZ6".to_owned()), Some("CME".to_owned()));
        let mut quote = rti::BestBidOffer::default();
        (quote.symbol, quote.exchange) = name.clone();
        quote.presence_bits = Some(3);
        quote.bid_price = tick.bid(TICK_SIZE).map(Price::as_f64);
        quote.ask_price = tick.ask(TICK_SIZE).map(Price::as_f64);
        (quote.bid_size, quote.ask_size) = (Some(1), Some(1));
        (quote.ssboe, quote.usecs) = (Some(seconds as i32), Some((nanos / 1_000) as i32));
        send(client, &quote);
        let mut trade = rti::LastTrade::default();
        (trade.symbol, trade.exchange) = name;
        trade.presence_bits = Some(1 | 8);
        (trade.trade_price, trade.trade_size) = (Some(tick.price.as_f64()), Some(tick.size as i32));
        trade.volume = Some(volume);
        trade.aggressor = tick.aggressor().map(|side| if side == Side::Buy { 1 } else { 2 });
        (trade.ssboe, trade.usecs) = (Some(seconds as i32), Some((nanos / 1_000) as i32));
        (trade.source_ssboe, trade.source_nsecs) = (Some(seconds as i32), Some(nanos as i32));
        send(client, &trade);
    }
}

/// The texts that no output may show: user, password and system.
const SECRETS: [&str; 3] = ["somebody", "hunter2", "Secret System"];

/// Stops the session at the first bar that ends at that time or later.
struct Until<'a>(Timestamp, Arc<AtomicBool>, &'a Watch);

impl Sink for Until<'_> {
    fn output(&mut self, output: &Output<'_>) {
        self.2.output(output);
        if let Output::Bar(bar) = output
            && bar.end >= self.0
        {
            self.1.store(true, Ordering::Relaxed);
        }
    }
}

fn config(mode: &str, folder: &Path, gateway: &str) -> Config {
    let yaml = format!(
        "system: {{ mode: {mode} }}
data_handler:
  backtest_settings: {{ synthetic: {{ days: 2, seed: 5, trades_per_day: 2000 }} }}
  live_settings: {{ user: somebody, password: hunter2, system_name: Secret System, gateway: '{gateway}',
    login_spacing_milliseconds: 0 }}
strategy: {{ kind: random_entries, random_entries: {{ entries_per_hundred_bars: 60, hold_bars: 3 }} }}
pipeline: {{ journal: true, wait: sleep }}
output: {{ directory: '{}' }}
",
        folder.display()
    );
    Config::parse(&yaml, "test", &Default::default()).unwrap()
}

fn paper(
    config: &Config,
    until: Timestamp,
    stop: &Arc<AtomicBool>,
    watch: &Watch,
) -> Result<RunRecord, PaperError> {
    let held = hold_run_directory(&config.output.directory).unwrap();
    let log = |line: &str| assert!(!SECRETS.iter().any(|secret| line.contains(secret)), "{line}");
    let record =
        run_paper(&held, config, &mut Until(until, stop.clone(), watch), watch, stop, &log)?;
    let times = WallTimes { started: Timestamp::now(), finished: Timestamp::now() };
    held.write(Maker::Run, &record, times).unwrap();
    Ok(record)
}

fn watch(config: &Config) -> Watch {
    Watch::new(config, &config.instrument().unwrap())
}

/// Returns the files of a folder that hold a secret.
fn files_with_secrets(folder: &Path) -> Vec<std::path::PathBuf> {
    let files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 6, "{files:?}");
    let is_told = |path: &std::path::PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        SECRETS
            .iter()
            .any(|secret| bytes.windows(secret.len()).any(|part| part == secret.as_bytes()))
    };
    files.into_iter().filter(is_told).collect()
}

fn ticks_of(folder: &Path) -> Vec<Tick> {
    let chain = JournalChain::open(&folder.join("run.journal")).unwrap();
    let tick = |event| if let Event::Tick(tick) = event { Some(tick) } else { None };
    chain.events().filter_map(|(_, event)| tick(event)).collect()
}

/// Checks that the status is that of the record: money by the fills, counts by the outputs.
fn check_status(watch: &Watch, record: &RunRecord) {
    let status = watch.status();
    assert_eq!(status.contract, "ESZ6");
    assert!(status.time.is_some());
    assert_eq!(status.links[0].plant, "ticker");
    let filled = status.counters.iter().find(|(name, _)| name == "fills").unwrap();
    assert!(record.counters.contains(filled), "{filled:?} {:?}", record.counters);
    let last = record.equity.last().unwrap();
    assert_eq!(status.account.position, i64::from(last.position));
    if last.position == 0 {
        assert_eq!(status.account.equity, last.equity);
    }
}

#[test]
fn a_session_is_the_backtest_of_its_ticks_and_its_journal_gives_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let (backtest, live) = (folder.path().join("backtest"), folder.path().join("live"));
    let stop = Arc::new(AtomicBool::new(false));
    let whole = run_backtest(&config("backtest", &backtest, ""), &stop, &mut |_| {}, &|_| {});
    let (whole, ticks) = (whole.unwrap(), ticks_of(&backtest));
    // Behind the last bar that counts there are ticks that close it.
    let until = ticks[ticks.len() - 40].time;
    let gateway = gateway(ticks.clone(), None, stop.clone());
    let config = config("paper", &live, &gateway);
    let watch = watch(&config);
    let record = paper(&config, until, &stop, &watch).unwrap();
    assert_eq!(files_with_secrets(&live), [""; 0].map(std::path::PathBuf::from));
    check_status(&watch, &record);

    let before = |record: &RunRecord| {
        let trades = record.trades.iter().filter(|trade| trade.exit_time < until);
        trades.copied().collect::<Vec<_>>()
    };
    assert!(before(&whole).len() > 20);
    assert_eq!(before(&record), before(&whole));
    assert_eq!(record.mode, "paper");
    let taken: Vec<Tick> = JournalChain::open(&live)
        .unwrap()
        .events()
        .filter_map(|(_, event)| if let Event::Tick(tick) = event { Some(tick) } else { None })
        .collect();
    assert_eq!(taken.len() as u64, record.ticks);
    assert_eq!(taken, ticks[..taken.len()]);

    let replayed = replay_journal(&live, &AtomicBool::new(false), &mut |_, _| {}).unwrap();
    assert_eq!(replayed.difference, None);
    assert!(replayed.is_whole && replayed.same_actions > 0);
    assert_eq!(replayed.record.trades, record.trades);
}

#[test]
fn a_refused_login_ends_the_start_and_leaves_no_journal() {
    let folder = tempfile::tempdir().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let gateway = gateway(Vec::new(), Some("permission denied"), stop.clone());
    let config = config("paper", folder.path(), &gateway);
    let error = paper(&config, Timestamp::MAX, &stop, &watch(&config));
    let message = error.unwrap_err().to_string();
    assert!(message.contains("refused the login: permission denied"), "{message}");
    assert!(!folder.path().join("run.0001.journal").exists());
}

/// The seam is a gap, and the chain is one run.
#[test]
fn a_session_that_was_cut_goes_on_and_its_chain_replays() {
    let folder = tempfile::tempdir().unwrap();
    let (backtest, live) = (folder.path().join("backtest"), folder.path().join("live"));
    let stop = Arc::new(AtomicBool::new(false));
    run_backtest(&config("backtest", &backtest, ""), &stop, &mut |_| {}, &|_| {}).unwrap();
    let ticks = ticks_of(&backtest);
    let gateway = gateway(ticks.clone(), None, stop.clone());
    let mut config = config("paper", &live, &gateway);
    config.data_handler.live_settings.contract = Some("ESZ6".to_owned());
    paper(&config, ticks[ticks.len() / 2].time, &stop, &watch(&config)).unwrap();
    let first = live.join("run.0001.journal");
    let bytes = std::fs::read(&first).unwrap();
    std::fs::write(&first, &bytes[..bytes.len() * 3 / 4]).unwrap();
    stop.store(false, Ordering::Relaxed);
    let record = paper(&config, ticks[ticks.len() - 40].time, &stop, &watch(&config)).unwrap();

    let events = || JournalChain::open(&live).unwrap().events().map(|it| it.1).collect::<Vec<_>>();
    assert!(live.join("run.0002.journal").exists());
    assert_eq!(events().iter().filter(|event| matches!(event, Event::Gap(_))).count(), 2);
    // An answer has the time of its question.
    let is_of_market = |event: &&Event| !matches!(event, Event::Answer(_));
    let times: Vec<_> = events().iter().filter(is_of_market).filter_map(Event::time).collect();
    assert!(times.is_sorted());
    let replayed = replay_journal(&live, &AtomicBool::new(false), &mut |_, _| {}).unwrap();
    assert_eq!(replayed.difference, None);
    assert!(replayed.same_actions > 0);
    assert_eq!(replayed.record.trades, record.trades);
}

//! The gateway on sockets, with the client of this repository.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use algospace_hft_rithmic::credentials::Credentials;
use algospace_hft_rithmic::edge::{Connection, Connector, Event, now};
use algospace_hft_rithmic::link::{Link, LinkSettings, Logins, Plant, State, Why};
use algospace_hft_rithmic::wire::body;
use rithmic_sim::{Gateway, Market, Script, Server, Settings, certificates};

use crate::killed::stop;
use crate::machine::{subscription, ticks};
use crate::simulator::market;

/// A gateway of that many ticks on a thread of its own.
struct Running {
    url: String,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Gateway>,
}

impl Running {
    /// Starts it; with TLS if it gets a file for the authority's certificate.
    fn start(settings: Settings, count: i64, authority: Option<&Path>) -> Running {
        let tls = authority.map(|authority| certificates::create(authority).unwrap());
        let market = Market::of_ticks("ES", ticks(count)).unwrap();
        let gateway = Gateway::new(settings, market);
        let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), tls, gateway).unwrap();
        let (url, stop) = (server.url(), Arc::new(AtomicBool::new(false)));
        let flag = Arc::clone(&stop);
        let thread = std::thread::spawn(move || server.run(&flag, |_| ()).unwrap());
        Running { url, stop, thread }
    }

    /// Creates a connection that subscribes to the contract.
    fn connection(&self, link: Link, authority: Option<&Path>) -> Connection {
        let connector = Connector::new(&self.url, authority).unwrap();
        let credentials = Credentials {
            user: "paper".to_owned(),
            password: "paper".to_owned().into(),
            system: "Rithmic Simulator".to_owned(),
            application: "test".to_owned(),
            version: "1".to_owned(),
        };
        let mut connection = Connection::new(link, Arc::new(connector), credentials);
        connection.keep(body(&subscription("ESZ3", true)), now());
        connection
    }

    fn end(self) -> Gateway {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

#[test]
fn a_client_sees_each_trade_of_the_file_with_and_without_tls() {
    for has_tls in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let authority = folder.path().join("ca.pem");
        let authority = has_tls.then_some(authority.as_path());
        let settings = Settings { speed: f64::INFINITY, ..Settings::default() };
        let running = Running::start(settings, 3_000, authority);
        let link = Link::new(Plant::Ticker, LinkSettings::default(), 1);
        let mut connection = running.connection(link, authority);
        let mut logins = Logins::new(Duration::ZERO);
        let mut seen = Vec::new();
        let begun = now();
        while seen.len() < 3_000 {
            connection.poll(now(), &mut logins, &mut |event| match event {
                Event::Trade(trade) => seen.push((
                    trade.trade_price().unwrap(),
                    trade.trade_size().unwrap() as u32,
                    trade.exchange_time(Default::default()).unwrap(),
                )),
                Event::Quote(_) | Event::Changed(_) => {}
                other => panic!("{other:?}"),
            });
            assert!(now().since(begun) < Duration::from_secs(60));
        }
        let expected = ticks(3_000).into_iter();
        let expected = expected.map(|tick| (tick.price.as_f64(), tick.size, tick.time.nanos()));
        assert!(seen.into_iter().eq(expected), "tls {has_tls}");
        assert_eq!(running.end().market().position(), 3_000);
    }
}

/// A reset, a refused connection, a text and silence, which no machine alone can show.
#[test]
fn faults_reach_a_client_under_tls() {
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.pem");
    let authority = Some(authority.as_path());
    let script = "faults:
  - { when: { template: 100, nth: 1, at: after_reply }, do: refuse_connections, count: 1 }
  - { when: { template: 100, nth: 1, at: after_reply }, do: reset }
  - { when: { template: 100, nth: 2, at: after_reply }, do: garble, as: text }
  - { when: { template: 100, nth: 2, at: after_reply }, do: mute, for: 1h }
  - { when: { template: 100, nth: 3, at: after_reply }, do: drop }";
    let script = Script::parse(script, "test").unwrap();
    let running = Running::start(Settings { script, ..Settings::default() }, 1_000, authority);
    // A seed whose waits are short.
    let (silence, probe) = (Duration::from_millis(100), Duration::from_millis(300));
    let settings = LinkSettings { silence, probe, settled: Duration::ZERO, ..Default::default() };
    let mut connection = running.connection(Link::new(Plant::Ticker, settings, 231), authority);
    let mut logins = Logins::new(Duration::ZERO);
    let (mut falls, mut ends) = (Vec::new(), Vec::new());
    let begun = now();
    while falls.len() < 4 {
        connection.poll(now(), &mut logins, &mut |event| match event {
            Event::Changed(change) if matches!(change.to, State::Down { .. }) => {
                falls.push(change.why);
            }
            Event::Closed(error) => ends.push(error.to_string()),
            _ => {}
        });
        assert!(now().since(begun) < Duration::from_secs(60));
    }
    assert_eq!(falls, [Why::Closed, Why::NotConnected, Why::ProbeUnanswered, Why::Closed]);
    assert_eq!(connection.counts().texts, 1);
    // The first has no farewell, the second has one.
    assert!(!ends[0].contains("closed normally"), "{ends:?}");
    assert!(ends[1].contains("closed normally"), "{ends:?}");
    running.end();
}

/// As `rithmic-sim … | head -1` has it.
#[test]
fn a_reader_of_its_first_line_that_leaves_does_not_end_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let file = market(folder.path(), 1, 500);
    let mut command = Command::new(env!("CARGO_BIN_EXE_rithmic-sim"));
    command.arg("--ticks").arg(&file).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut lines, errors) = (BufReader::new(child.stdout.take().unwrap()), child.stderr.take());
    let mut first = String::new();
    lines.read_line(&mut first).unwrap();
    assert!(first.starts_with("market: "), "{first}");
    drop(lines);
    // Most lines come behind that, the last one at the end.
    let is_in_order = stop(child);
    let told = std::io::read_to_string(errors.unwrap()).unwrap();
    assert!(is_in_order && told.is_empty(), "{told}");
}

//! The edge over loopback, with and without TLS: scenarios F6, F12, F13 and R10 as far as they are
//! sockets'.

use std::time::Duration;

use algospace_hft_rithmic::Monotonic;
use algospace_hft_rithmic::edge::{Connection, Connector, Event, now};
use algospace_hft_rithmic::link::{Change, Latch, Logins, Plant, Refusal, State, Why};
use algospace_hft_rithmic::wire::{body, rti};
use tungstenite::Message;

use crate::server::{
    Client, Server, admit, answer_login, connection, connection_to, request, trade,
};

/// Polls until that is so.
fn poll_until(
    connection: &mut Connection,
    mut on: impl FnMut(&Event<'_>),
    done: impl Fn(&Connection) -> bool,
) {
    let mut logins = Logins::new(Duration::ZERO);
    let begun = now();
    while !done(connection) {
        if connection.poll(now(), &mut logins, &mut |event| on(&event)) == 0 {
            std::thread::yield_now();
        }
        assert!(now().since(begun) < Duration::from_secs(60), "{:?}", connection.link().state());
    }
}

fn lost(connection: &Connection) -> bool {
    connection.link().generation() > 0 && matches!(connection.link().state(), State::Down { .. })
}

#[test]
fn f12_a_flood_of_trades_arrives_whole_and_in_order() {
    const TRADES: u64 = 20_000;
    for tls in [false, true] {
        let server = Server::start(tls, |mut client: Client| {
            admit(&mut client);
            for volume in 1..=TRADES {
                client.write(Message::Binary(trade(volume).into())).unwrap();
            }
            client.flush().unwrap();
            while request(&mut client).is_some() {}
        });
        let mut connection = connection(&server);
        let mut volumes = Vec::new();
        let mut changes = Vec::new();
        let mut logins = Logins::new(Logins::SPACING);
        while volumes.len() < TRADES as usize {
            connection.poll(now(), &mut logins, &mut |event| match event {
                Event::Trade(trade) => volumes.push(trade.volume().unwrap()),
                Event::Changed(change) => changes.push(change.why),
                other => panic!("{other:?} after {} trades, {changes:?}", volumes.len()),
            });
        }
        assert!(volumes.into_iter().eq(1..=TRADES), "tls {tls}");
        assert_eq!(changes[..3], [Why::Turn, Why::Connected, Why::Accepted]);
        assert!(connection.link().is_up() && connection.counts().frames >= TRADES + 2);
        connection.stop(now(), &mut logins);
        connection.poll(now(), &mut logins, &mut |_| ());
        server.thread.join().unwrap();
    }
}

#[test]
fn f13_rubbish_is_counted_and_the_link_lives() {
    let server = Server::start(false, |mut client: Client| {
        admit(&mut client);
        let unknown = [0, 0, 0, 5, 0x98, 0xb6, 0x4b, 0xe7, 0x02]; // template 359
        for frame in [&[][..], &[0xff; 20], &[0, 0, 0, 9, 1], &unknown] {
            client.write(Message::Binary(frame.to_vec().into())).unwrap();
        }
        client.write(Message::Text("hello".into())).unwrap();
        client.send(Message::Binary(trade(7).into())).unwrap();
        while request(&mut client).is_some() {}
    });
    let mut connection = connection(&server);
    let mut seen = Vec::new();
    let mut logins = Logins::new(Logins::SPACING);
    while seen.last() != Some(&150) {
        connection.poll(now(), &mut logins, &mut |event| match event {
            Event::Message(envelope, _) => seen.push(envelope.template),
            Event::Trade(_) => seen.push(150),
            _ => {}
        });
    }
    assert_eq!(seen, [359, 150]);
    assert_eq!((connection.counts().invalid, connection.counts().texts), (3, 1));
    assert!(connection.link().is_up());
    drop(connection);
    server.thread.join().unwrap();
}

#[test]
fn f13_a_message_longer_than_any_drops_the_link() {
    let server = Server::start(false, |mut client: Client| {
        admit(&mut client);
        _ = client.send(Message::Binary(vec![0; 2 << 20].into()));
        while request(&mut client).is_some() {}
    });
    let mut connection = connection(&server);
    poll_until(&mut connection, |_| (), lost);
    server.thread.join().unwrap();
}

#[test]
fn the_rest_of_a_send_that_blocked_goes_with_later_polls() {
    // Together far more than the kernel keeps for a gateway that does not read.
    const REQUESTS: usize = 16;
    let mut large = rti::RequestMarketDataUpdate::default();
    large.symbol = Some("x".repeat(1_000_000));
    let large = body(&large);
    for tls in [false, true] {
        let (have_sent, sent) = std::sync::mpsc::channel();
        let server = Server::start(tls, move |mut client: Client| {
            admit(&mut client);
            sent.recv().unwrap();
            for _ in 0..REQUESTS {
                request(&mut client).expect("all that was sent");
            }
        });
        let mut connection = connection(&server);
        poll_until(&mut connection, |_| (), |connection| connection.link().is_up());
        // Time stands still for the link, so that no heartbeat takes the rest along.
        let (then, mut logins) = (now(), Logins::new(Duration::ZERO));
        for _ in 0..REQUESTS {
            connection.request(&large, Duration::from_secs(60), then).unwrap();
        }
        connection.poll(then, &mut logins, &mut |_| ());
        have_sent.send(()).unwrap();
        while !lost(&connection) {
            if connection.poll(then, &mut logins, &mut |_| ()) == 0 {
                std::thread::yield_now();
            }
            assert!(now().since(then) < Duration::from_secs(60), "tls {tls}");
        }
        server.thread.join().unwrap();
    }
}

#[test]
fn a_gateway_that_closes_is_noticed() {
    let server = Server::start(true, |mut client: Client| admit(&mut client));
    let mut connection = connection(&server);
    let mut whys = Vec::new();
    let on = |event: &Event<'_>| {
        if let Event::Changed(change) = event {
            whys.push(change.why);
        }
    };
    poll_until(&mut connection, on, lost);
    assert_eq!(whys.last(), Some(&Why::Closed), "{whys:?}");
    server.thread.join().unwrap();
}

/// Starts a plant that answers a login with that code and text, and nothing else.
fn plant(code: &'static [&str]) -> Server {
    Server::start(false, move |mut client: Client| {
        let (_, number) = request(&mut client).expect("a login");
        answer_login(&mut client, number, code);
        while request(&mut client).is_some() {}
    })
}

/// A ticker link and a history link whose logins wait for each other.
struct Pair {
    ticker: Connection,
    history: Connection,
    logins: Logins,
    /// Their changes, each with its time.
    changes: Vec<(Monotonic, Change)>,
}

impl Pair {
    const SPACING: Duration = Duration::from_millis(20);

    fn new(ticker: &Server, history: &Server) -> Pair {
        let (ticker, history) = (connection(ticker), connection_to(history, Plant::History));
        Pair { ticker, history, logins: Logins::new(Pair::SPACING), changes: Vec::new() }
    }

    /// Polls both until that is so.
    fn poll_until(&mut self, done: impl Fn(State, State) -> bool) {
        let begun = now();
        while !done(self.ticker.link().state(), self.history.link().state()) {
            for connection in [&mut self.ticker, &mut self.history] {
                let at = now();
                connection.poll(at, &mut self.logins, &mut |event| {
                    if let Event::Changed(change) = event {
                        self.changes.push((at, change));
                    }
                });
            }
            std::thread::yield_now();
            assert!(now().since(begun) < Duration::from_secs(60), "{:?}", self.changes);
        }
    }

    fn when(&self, plant: Plant, why: Why) -> Monotonic {
        let found = |(_, change): &&(Monotonic, Change)| (change.plant, change.why) == (plant, why);
        self.changes.iter().find(found).expect("such a change").0
    }
}

#[test]
fn f6_two_links_log_in_one_after_the_other_and_live_apart() {
    let (close, closed) = std::sync::mpsc::channel::<()>();
    let ticker = Server::start(false, move |mut client: Client| {
        admit(&mut client);
        _ = closed.recv();
    });
    let history = plant(&["0"]);
    let mut pair = Pair::new(&ticker, &history);
    pair.poll_until(|ticker, history| ticker.is_up() && history.is_up());
    let accepted = pair.when(Plant::Ticker, Why::Accepted);
    assert!(pair.when(Plant::History, Why::Turn).since(accepted) >= Pair::SPACING);
    drop(close);
    pair.poll_until(|ticker, _| !ticker.is_up());
    pair.when(Plant::Ticker, Why::Closed);
    assert_eq!((pair.history.link().is_up(), pair.history.link().generation()), (true, 1));
    drop(pair);
    for server in [ticker, history] {
        server.thread.join().unwrap();
    }
}

#[test]
fn r10_a_plant_that_refuses_the_login_keeps_no_other_from_it() {
    let ticker = plant(&["13", "permission denied"]);
    let history = plant(&["0"]);
    let mut pair = Pair::new(&ticker, &history);
    pair.poll_until(|_, history| history.is_up());
    let refused = State::LoggedOut(Latch::Refused(Refusal::Permission));
    assert_eq!((pair.ticker.link().state(), pair.ticker.link().generation()), (refused, 1));
    drop(pair);
    for server in [ticker, history] {
        server.thread.join().unwrap();
    }
}

#[test]
fn a_server_that_nobody_vouches_for_is_refused() {
    let (mut server, mut stranger) = (Server::start(true, |_| ()), Server::start(true, |_| ()));
    std::mem::swap(&mut server.authorities, &mut stranger.authorities);
    let mut connection = connection(&server);
    let mut told = String::new();
    let on = |event: &Event<'_>| {
        if let Event::NotConnected(error) = event {
            told = error.to_string();
        }
    };
    poll_until(&mut connection, on, lost);
    assert!(told.contains("certificate"), "{told}");
    // The other waits for somebody as well.
    drop(std::net::TcpStream::connect(stranger.url.trim_start_matches("wss://")));
    for thread in [server.thread, stranger.thread] {
        thread.join().unwrap();
    }
}

#[test]
fn addresses_that_are_none_are_refused() {
    for url in ["", "localhost", "http://localhost", "ws://"] {
        assert!(Connector::new(url, None).is_err(), "{url}");
    }
    assert!(Connector::new("ws://localhost:1", None).is_ok());
    let empty = tempfile::NamedTempFile::new().unwrap();
    let error = Connector::new("wss://localhost:1", Some(empty.path())).unwrap_err();
    assert!(error.to_string().contains("no certificate"), "{error}");
}

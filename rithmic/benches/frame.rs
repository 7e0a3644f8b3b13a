//! The time from a gateway's write of a trade over loopback until the trade is in hand: this
//! crate's connection, which hands trades to a queue, beside `rithmic-rs`'s own client, in one run;
//! and a flood, of which nothing may be lost.
//!
//! `cargo bench --package algospace-hft-rithmic`. Ratios carry over to other machines, times do
//! not.

#[path = "../tests/server.rs"]
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use algospace_hft_rithmic::edge::{Event, now};
use algospace_hft_rithmic::link::Logins;
use algospace_hft_rithmic::wire::LastTrade;
use rithmic_rs::rti::messages::RithmicMessage;
use rithmic_rs::{ConnectStrategy, RithmicConfig, RithmicEnv, RithmicTickerPlant};
use server::{Client, Server, admit, connection, request, trade};
use tungstenite::Message;

/// Rounds of each client, alternating.
const ROUNDS: usize = 5;
/// Trades of a round.
const TRADES: u64 = 3_000;
/// Time from trade to trade.
const PACE: Duration = Duration::from_micros(500);
/// Messages a second of the flood, and its seconds.
const FLOOD: (u64, u64) = (50_000, 10);

/// Instants of sending, by volume.
type Sent = Arc<Vec<AtomicU64>>;

fn sent(trades: u64) -> Sent {
    Arc::new((0..=trades).map(|_| AtomicU64::new(0)).collect())
}

/// Sends trades at a pace, in groups of `at_once`, and notes when.
fn serve(mut client: Client, sent: &Sent, pace: Duration, at_once: u64) {
    admit(&mut client);
    // The other side gets ready.
    std::thread::sleep(Duration::from_millis(100));
    let begun = now();
    for volume in 1..sent.len() as u64 {
        let due = pace * ((volume - 1) / at_once) as u32;
        while now().since(begun) < due {
            std::thread::yield_now();
        }
        let frame = Message::Binary(trade(volume).into());
        sent[volume as usize].store(now().0, Ordering::Release);
        client.send(frame).unwrap();
    }
    while request(&mut client).is_some() {}
}

fn since_sent(sent: &Sent, volume: u64) -> u64 {
    now().0 - sent[volume as usize].load(Ordering::Acquire)
}

/// Receives by this crate's connection, through a queue as to the ring. Returns nanoseconds.
fn ours(tls: bool, trades: u64, pace: Duration, at_once: u64) -> Vec<u64> {
    let sent = sent(trades);
    let theirs = Arc::clone(&sent);
    let server = Server::start(tls, move |client| serve(client, &theirs, pace, at_once));
    let mut connection = connection(&server);
    let mut logins = Logins::new(Duration::ZERO);
    let (mut producer, mut consumer) = rtrb::RingBuffer::<LastTrade>::new(65_536);
    let mut times = Vec::with_capacity(trades as usize);
    while times.len() < trades as usize {
        let taken = connection.poll(now(), &mut logins, &mut |event| match event {
            Event::Trade(trade) => producer.push(trade).unwrap(),
            Event::Changed(_) => {}
            other => panic!("{other:?}"),
        });
        while let Ok(trade) = consumer.pop() {
            let volume = trade.volume().unwrap();
            assert_eq!(volume, times.len() as u64 + 1, "lost or out of order");
            times.push(since_sent(&sent, volume));
        }
        if taken == 0 {
            std::thread::yield_now();
        }
    }
    connection.stop(now(), &mut logins);
    connection.poll(now(), &mut logins, &mut |_| ());
    drop(connection);
    server.thread.join().unwrap();
    times
}

/// Receives by `rithmic-rs`'s client on a runtime of the calling thread. Returns nanoseconds.
fn theirs(trades: u64, pace: Duration, at_once: u64) -> Vec<u64> {
    let sent = sent(trades);
    let noted = Arc::clone(&sent);
    let server = Server::start(false, move |client| serve(client, &noted, pace, at_once));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let times = runtime.block_on(async {
        let config = RithmicConfig::builder(RithmicEnv::Test)
            .url(&server.url)
            .beta_url(&server.url)
            .user("somebody")
            .password("hunter2")
            .app_name("bench")
            .app_version("1")
            .build()
            .unwrap();
        let plant = RithmicTickerPlant::connect(&config, ConnectStrategy::Simple).await.unwrap();
        let mut handle = plant.get_handle();
        handle.login().await.unwrap();
        handle.subscribe("ESZ6", "CME").await.unwrap();
        let mut times = Vec::with_capacity(trades as usize);
        while times.len() < trades as usize {
            let update = handle.subscription_receiver.recv().await.unwrap();
            if let RithmicMessage::LastTrade(trade) = &update.message {
                times.push(since_sent(&sent, trade.volume.unwrap()));
            }
        }
        plant.get_handle().abort();
        times
    });
    drop(runtime);
    server.thread.join().unwrap();
    times
}

fn quantiles(times: &mut [u64]) -> [f64; 2] {
    times.sort_unstable();
    [50, 99].map(|percent| times[times.len() * percent / 100] as f64 / 1e3)
}

fn main() {
    println!("from the gateway's write to the trade in hand, microseconds, p50 and p99");
    let mut all = [vec![], vec![], vec![]];
    for round in 1..=ROUNDS {
        let rounds =
            [ours(false, TRADES, PACE, 1), ours(true, TRADES, PACE, 1), theirs(TRADES, PACE, 1)];
        let [plain, tls, peer] = rounds.clone().map(|mut times| quantiles(&mut times));
        println!(
            "round {round}: here {:.1} {:.1}; under TLS {:.1} {:.1}; rithmic-rs {:.1} {:.1}; \
             ratio at p50 {:.1}",
            plain[0],
            plain[1],
            tls[0],
            tls[1],
            peer[0],
            peer[1],
            peer[0] / plain[0]
        );
        for (all, round) in all.iter_mut().zip(rounds) {
            all.extend(round);
        }
    }
    let [plain, tls, peer] = all.map(|mut times| quantiles(&mut times));
    println!(
        "all: here {plain:.1?}; under TLS {tls:.1?}; rithmic-rs {peer:.1?}; ratio {:.1}",
        peer[0] / plain[0]
    );
    let (rate, seconds) = FLOOD;
    for tls in [false, true] {
        let mut times = ours(tls, rate * seconds, Duration::from_millis(1), rate / 1_000);
        let [p50, p99] = quantiles(&mut times);
        println!(
            "{rate} messages/s for {seconds} s, TLS {tls}: none lost; p50 {p50:.1}, p99 {p99:.1}"
        );
    }
}

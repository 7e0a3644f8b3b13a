//! A gateway that takes its time, at random, in virtual time: how long a link is away.

use std::collections::BTreeMap;
use std::time::Duration;

use algospace_hft_rithmic::Monotonic;
use algospace_hft_rithmic::link::{Link, LinkSettings, Logins, Output, Plant, State, Why};
use algospace_hft_rithmic::wire::{Incoming, Template, decode, encode, rti};

use crate::links::subscription;
use crate::random::Random;

/// Something on its way to the link.
enum Coming {
    Connected,
    Closed,
    Frame(Vec<u8>),
    Pong,
}

/// A link and its gateway, which answers late and sends data now and then.
struct Gateway {
    now: Monotonic,
    random: Random,
    link: Link,
    logins: Logins,
    /// By time and a number of its own, with the connection that it belongs to.
    coming: BTreeMap<(Monotonic, u64), (u32, Coming)>,
    is_mute: bool,
    /// The state that the link was in last, with the time and the reason.
    changed: (Monotonic, State, Why),
}

impl Gateway {
    fn new(seed: u64) -> Gateway {
        let now = Monotonic(1_000_000_000);
        let mut link = Link::new(Plant::Ticker, LinkSettings::default(), seed);
        link.keep(subscription(), now, &mut Vec::new());
        let changed = (now, link.state(), Why::Told);
        let (random, logins) = (Random(seed), Logins::new(Logins::SPACING));
        let (coming, is_mute) = (BTreeMap::new(), false);
        Gateway { now, random, link, logins, coming, is_mute, changed }
    }

    /// Lets something arrive some milliseconds from now, up to that many.
    fn arrive(&mut self, milliseconds: u64, coming: Coming) {
        let after = Duration::from_micros(5_000 + self.random.below(milliseconds * 1_000));
        let key = (self.now.after(after), self.random.next());
        self.coming.insert(key, (self.link.generation(), coming));
    }

    fn send<M: Template>(&mut self, message: &M) {
        self.arrive(400, Coming::Frame(encode(message, None)));
    }

    /// Does what the link says. A mute gateway takes connections and answers nothing.
    fn act(&mut self, out: Vec<Output>) {
        for output in out {
            match output {
                // One in ten finds nobody.
                Output::Connect if self.random.once_in(10) => self.arrive(50, Coming::Closed),
                Output::Connect => self.arrive(300, Coming::Connected),
                Output::Changed(change) => self.changed = (self.now, change.to, change.why),
                _ if self.is_mute => {}
                Output::Login(number) => {
                    let mut answer = rti::ResponseLogin::default();
                    answer.user_msg = vec![number.to_string()];
                    answer.rp_code = vec!["0".to_owned()];
                    self.send(&answer);
                }
                Output::Send(frame) => {
                    let Ok(Incoming::Other(envelope, _)) = decode(&frame[4..]) else { panic!() };
                    let mut answer = rti::ResponseMarketDataUpdate::default();
                    answer.user_msg = envelope.request.iter().map(u32::to_string).collect();
                    answer.rp_code = vec!["0".to_owned()];
                    self.send(&answer);
                }
                Output::Ping => self.arrive(200, Coming::Pong),
                _ => {}
            }
        }
    }

    fn take(&mut self, coming: Coming) {
        let (now, mut out) = (self.now, Vec::new());
        match coming {
            Coming::Connected => self.link.on_connected(now, &mut out),
            Coming::Closed => self.link.on_closed(now, &mut self.logins, &mut out),
            Coming::Pong => self.link.on_traffic(now, &mut out),
            Coming::Frame(frame) => {
                let Ok(Incoming::Other(envelope, message)) = decode(&frame[4..]) else { panic!() };
                self.link.on_traffic(now, &mut out);
                self.link.on_message(&envelope, message, now, &mut self.logins, &mut out);
            }
        }
        self.act(out);
    }

    /// Passes time until that is so, but not beyond `end`. Returns how long the link's last change
    /// took.
    fn run(&mut self, end: Monotonic, done: impl Fn(&Gateway) -> bool) -> Duration {
        let begun = self.now;
        while !done(self) && self.now < end {
            let mut out = Vec::new();
            self.link.on_time(self.now, &mut self.logins, &mut out);
            self.act(out);
            // A live link hears of the market now and then.
            if self.link.is_up() && !self.is_mute && self.coming.is_empty() {
                self.arrive(3_500, Coming::Pong);
            }
            let soon = self.now.after(Duration::from_millis(1));
            let next = self.coming.keys().next().map_or(Monotonic::NEVER, |(at, _)| *at);
            self.now = self.link.due().max(soon).min(next.max(self.now)).min(end);
            while let Some(first) = self.coming.first_entry()
                && first.key().0 <= self.now
            {
                let (generation, coming) = first.remove();
                // What an earlier connection had on its way is lost with it.
                if generation == self.link.generation() {
                    self.take(coming);
                }
            }
        }
        self.changed.0.since(begun)
    }

    /// Passes that much time, and more until the link is live.
    fn live_for(&mut self, milliseconds: u64) {
        self.run(self.now.after(Duration::from_millis(milliseconds)), |_| false);
        self.run(Monotonic::NEVER, |gateway| gateway.link.state() == State::Live);
    }
}

/// Seen: 1.11 s in the middle, 3.01 s at 99 %, 4.70 s at most.
#[test]
fn of_200_forced_drops_99_percent_are_over_within_5_seconds() {
    let mut away = Vec::new();
    for seed in 0..10 {
        let mut gateway = Gateway::new(seed);
        for _ in 0..20 {
            let milliseconds = 35_000 + gateway.random.below(60_000);
            gateway.live_for(milliseconds);
            gateway.take(Coming::Closed);
            assert!(!gateway.link.is_up());
            away.push(gateway.run(Monotonic::NEVER, |gateway| gateway.link.state() == State::Live));
        }
    }
    away.sort_unstable();
    let seen = [99, 197, 199].map(|place| away[place]);
    assert!(seen[1] < Duration::from_secs(5) && seen[0] > Duration::from_millis(300), "{seen:?}");
}

/// Seen: 4.3 to 7.0 s.
#[test]
fn of_50_mute_gateways_each_is_noticed_within_10_seconds() {
    let mut noticed = Vec::new();
    for seed in 0..50 {
        let mut gateway = Gateway::new(100 + seed);
        let milliseconds = 5_000 + gateway.random.below(30_000);
        gateway.live_for(milliseconds);
        gateway.is_mute = true;
        // Nothing more comes, not even what was on its way.
        gateway.coming.clear();
        noticed.push(gateway.run(Monotonic::NEVER, |gateway| !gateway.link.is_up()));
        assert_eq!(gateway.changed.2, Why::ProbeUnanswered);
    }
    noticed.sort_unstable();
    assert!(noticed[49] < Duration::from_secs(10) && noticed[0] > Duration::from_secs(3));
}

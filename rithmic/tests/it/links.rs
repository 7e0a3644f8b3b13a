//! Links in virtual time: scenarios F3, F4, F6, F7, F15, F16 and R10.

use std::time::Duration;

use algospace_hft_rithmic::Monotonic;
use algospace_hft_rithmic::link::{
    Backoff, Change, Latch, Link, LinkSettings, Logins, Output, Plant, Refusal, State, Unanswered,
    Why,
};
use algospace_hft_rithmic::wire::{Incoming, Template, body, decode, encode, rti};

const SECOND: u64 = 1_000_000_000;

/// The behaviour of a [`World`]'s gateway.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// True if it takes connections.
    pub listens: bool,
    /// True if it answers nothing, pings included.
    pub is_mute: bool,
    /// True if it answers requests other than the login.
    pub answers: bool,
    /// Its answer to a login: code and text.
    pub login: (&'static str, &'static str),
}

/// A gateway, a clock, and what was seen: it answers a millisecond later.
pub struct World {
    /// The time.
    pub now: Monotonic,
    /// The gateway.
    pub gateway: Gateway,
    /// Changes, each with its time.
    pub changes: Vec<(Monotonic, Change)>,
    /// The times at which sockets were wanted.
    pub tries: Vec<Monotonic>,
    /// Template numbers that were sent.
    pub sent: Vec<i32>,
    /// Requests without an answer.
    pub unanswered: Vec<(u32, Unanswered)>,
    /// Refusals that were told.
    pub refused: Vec<String>,
}

impl World {
    /// A gateway that does everything right.
    pub fn new(now: Monotonic) -> World {
        let gateway = Gateway { listens: true, is_mute: false, answers: true, login: ("0", "") };
        World {
            now,
            gateway,
            changes: Vec::new(),
            tries: Vec::new(),
            sent: Vec::new(),
            unanswered: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// Brings a link up.
    pub fn bring_up(&mut self, link: &mut Link, logins: &mut Logins) {
        self.run(link, logins, Duration::from_secs(2));
        assert_eq!(link.state(), State::Live, "{:?}", self.changes);
    }

    /// Passes that much time, from deadline to deadline.
    pub fn run(&mut self, link: &mut Link, logins: &mut Logins, span: Duration) {
        let end = self.now.after(span);
        while self.now < end {
            let mut out = Vec::new();
            link.on_time(self.now, logins, &mut out);
            self.answer(link, logins, out);
            // A link that waits for its turn is due at once; a driver looks again soon.
            let soon = self.now.after(Duration::from_millis(10));
            self.now = link.due().max(soon).min(end);
        }
    }

    /// Does what a link says, until it says nothing.
    pub fn answer(&mut self, link: &mut Link, logins: &mut Logins, mut out: Vec<Output>) {
        while !out.is_empty() {
            let mut next = Vec::new();
            for output in out {
                match output {
                    Output::Connect => {
                        self.tries.push(self.now);
                        if self.gateway.listens {
                            link.on_connected(self.now, &mut next);
                        } else {
                            link.on_closed(self.now, logins, &mut next);
                        }
                    }
                    Output::Login(number) => self.answer_login(number, link, logins, &mut next),
                    Output::Send(frame) => self.answer_frame(&frame, link, logins, &mut next),
                    Output::Ping if !self.gateway.is_mute => link.on_traffic(self.now, &mut next),
                    Output::Ping | Output::Disconnect => {}
                    Output::Changed(change) => self.changes.push((self.now, change)),
                    Output::Refused(_, code, text) => self.refused.push(format!("{code} {text}")),
                    Output::Unanswered(number, why) => self.unanswered.push((number, why)),
                }
            }
            out = next;
        }
    }

    fn answer_login(
        &mut self,
        number: u32,
        link: &mut Link,
        logins: &mut Logins,
        out: &mut Vec<Output>,
    ) {
        if self.gateway.is_mute {
            return;
        }
        let mut answer = rti::ResponseLogin::default();
        answer.heartbeat_interval = Some(20.0);
        answer.user_msg = vec![number.to_string()];
        let (code, text) = self.gateway.login;
        answer.rp_code = vec![code.to_owned(), text.to_owned()];
        self.tell(&answer, link, logins, out);
    }

    fn answer_frame(
        &mut self,
        frame: &[u8],
        link: &mut Link,
        logins: &mut Logins,
        out: &mut Vec<Output>,
    ) {
        let Ok(Incoming::Other(envelope, _)) = decode(&frame[4..]) else { panic!("{frame:?}") };
        self.sent.push(envelope.template);
        if self.gateway.is_mute || !self.gateway.answers {
            return;
        }
        if envelope.template == 18 {
            self.tell(&rti::ResponseHeartbeat::default(), link, logins, out);
        } else if let Some(number) = envelope.request {
            let mut answer = rti::ResponseMarketDataUpdate::default();
            answer.user_msg = vec![number.to_string()];
            answer.rp_code = vec!["0".to_owned()];
            self.tell(&answer, link, logins, out);
        }
    }

    /// Lets the gateway send a message.
    pub fn tell<M: Template>(
        &self,
        message: &M,
        link: &mut Link,
        logins: &mut Logins,
        out: &mut Vec<Output>,
    ) {
        let frame = encode(message, None);
        let Ok(Incoming::Other(envelope, message)) = decode(&frame[4..]) else { panic!() };
        link.on_traffic(self.now, out);
        link.on_message(&envelope, message, self.now, logins, out);
    }

    /// Returns when it changed to a state for the last time.
    fn last(&self, state: impl Fn(State) -> bool) -> Monotonic {
        self.changes.iter().rfind(|(_, change)| state(change.to)).expect("such a state").0
    }

    fn whys(&self) -> Vec<Why> {
        self.changes.iter().map(|(_, change)| change.why).collect()
    }
}

fn link(plant: Plant) -> Link {
    Link::new(plant, LinkSettings::default(), 7)
}

/// Returns a request to keep.
pub fn subscription() -> Vec<u8> {
    let mut request = rti::RequestMarketDataUpdate::default();
    (request.symbol, request.exchange) = (Some("ESZ6".into()), Some("CME".into()));
    body(&request)
}

fn set_up() -> (World, Link, Logins) {
    let (mut world, mut link) = (World::new(Monotonic(SECOND)), link(Plant::Ticker));
    let mut logins = Logins::new(Logins::SPACING);
    link.keep(subscription(), world.now, &mut Vec::new());
    world.bring_up(&mut link, &mut logins);
    assert_eq!(world.whys(), [Why::Turn, Why::Connected, Why::Accepted, Why::Restored]);
    assert_eq!((&world.sent[..], link.generation()), (&[100][..], 1));
    (world, link, logins)
}

#[test]
fn f3_a_mute_gateway_is_noticed_within_10_seconds_and_the_link_back_within_5() {
    for silent_after in 0..50 {
        let (mut world, mut link, mut logins) = set_up();
        let silent = Duration::from_millis(30_000 + silent_after * 97);
        world.run(&mut link, &mut logins, silent);
        assert!(link.is_up());
        let mute_since = world.now;
        world.gateway.is_mute = true;
        world.run(&mut link, &mut logins, Duration::from_secs(10));
        let dead = world.last(|state| matches!(state, State::Down { .. }));
        assert!(dead.since(mute_since) < Duration::from_secs(10) && dead > mute_since);
        assert!(world.whys().contains(&Why::ProbeUnanswered), "{:?}", world.changes);
        // It speaks again as a new connection: from the first it would have been a matter of
        // milliseconds.
        let (mut world, mut link, mut logins) = set_up();
        world.run(&mut link, &mut logins, silent);
        let mut out = Vec::new();
        link.on_closed(world.now, &mut logins, &mut out);
        let dropped = world.now;
        world.answer(&mut link, &mut logins, out);
        world.run(&mut link, &mut logins, Duration::from_secs(5));
        assert!(world.last(|state| state == State::Live).since(dropped) < Duration::from_secs(5));
        assert_eq!(link.generation(), 2);
    }
}

#[test]
fn f4_a_quiet_night_whose_probes_are_answered_is_nothing() {
    let (mut world, mut link, mut logins) = set_up();
    world.run(&mut link, &mut logins, Duration::from_secs(3_600));
    assert_eq!((link.is_up(), link.generation(), world.tries.len()), (true, 1, 1));
    let quiet = [Why::Silence, Why::Traffic];
    assert!(world.whys()[4..].iter().all(|why| quiet.contains(why)));
    // It asks while nothing comes, and not more often.
    let beats = world.sent.iter().filter(|template| **template == 18).count();
    assert!((1_100..=1_200).contains(&beats), "{beats} heartbeats");
}

#[test]
fn heartbeats_keep_to_the_interval_while_data_come() {
    let (mut world, mut link, mut logins) = set_up();
    for _ in 0..600 {
        world.run(&mut link, &mut logins, Duration::from_millis(100));
        link.on_traffic(world.now, &mut Vec::new());
    }
    let beats = world.sent.iter().filter(|template| **template == 18).count();
    assert_eq!(beats, 4, "one in each 15 of 60 seconds, of 20 that were asked for");
}

#[test]
fn f6_a_blip_of_the_data_leaves_the_order_link_alone() {
    let (mut world, mut ticker, mut logins) = set_up();
    let mut orders = link(Plant::Orders);
    let mut order_world = World::new(world.now);
    order_world.bring_up(&mut orders, &mut logins);
    let seen = order_world.changes.len();
    let mut out = Vec::new();
    ticker.on_closed(world.now, &mut logins, &mut out);
    world.answer(&mut ticker, &mut logins, out);
    world.run(&mut ticker, &mut logins, Duration::from_secs(30));
    order_world.run(&mut orders, &mut logins, Duration::from_secs(30));
    assert_eq!((ticker.generation(), orders.generation()), (2, 1));
    let quiet = [Why::Silence, Why::Traffic];
    assert!(order_world.whys()[seen..].iter().all(|why| quiet.contains(why)));
}

#[test]
fn f7_a_lost_subscription_is_asked_for_again_and_after_every_login() {
    let (mut world, mut link, mut logins) = set_up();
    let mut out = Vec::new();
    link.ask_again(world.now, &mut out);
    world.answer(&mut link, &mut logins, out);
    assert_eq!((&world.sent[..], link.state()), (&[100, 100][..], State::Live));
    // If that is not answered, the link is worth nothing.
    world.gateway.answers = false;
    let mut out = Vec::new();
    link.ask_again(world.now, &mut out);
    world.answer(&mut link, &mut logins, out);
    world.run(&mut link, &mut logins, Duration::from_secs(6));
    assert!(world.whys().contains(&Why::RestoreUnanswered));
    world.gateway.answers = true;
    world.run(&mut link, &mut logins, Duration::from_secs(10));
    assert_eq!(link.state(), State::Live);
    let asked = world.sent.iter().filter(|template| **template == 100).count();
    assert_eq!(asked, link.generation() as usize + 2, "once a login, and twice between");
}

#[test]
fn f15_twenty_refusals_are_no_storm() {
    for seed in 0..200 {
        let mut link = Link::new(Plant::Ticker, LinkSettings::default(), seed);
        let (mut world, mut logins) = (World::new(Monotonic(SECOND)), Logins::new(Logins::SPACING));
        world.gateway.listens = false;
        while world.tries.len() < 20 {
            world.run(&mut link, &mut logins, Duration::from_secs(1));
        }
        for tries in world.tries.windows(7) {
            let span = tries[6].since(tries[0]);
            assert!(span >= Backoff::WINDOW, "seed {seed}: seven tries in {span:?}");
        }
        let pairs = world.tries.windows(2);
        assert!(pairs.into_iter().all(|pair| pair[1].since(pair[0]) <= Backoff::WINDOW));
        // The gateway comes back, and so does the link.
        world.gateway.listens = true;
        world.run(&mut link, &mut logins, Duration::from_secs(62));
        assert!(link.is_up());
    }
}

#[test]
fn waits_differ_between_links_and_not_between_runs() {
    let wait = |seed| Backoff::new(seed).lost(Monotonic::default());
    let waits: Vec<Monotonic> = (0..100).map(wait).collect();
    let again: Vec<Monotonic> = (0..100).map(wait).collect();
    assert_eq!(waits, again);
    let first = Backoff::FIRST.as_nanos() as u64;
    assert!(waits.iter().all(|wait| (first / 2..=first * 3 / 2).contains(&wait.0)));
    assert!(waits.iter().min().unwrap().0 < first * 6 / 10);
    assert!(waits.iter().max().unwrap().0 > first * 14 / 10);
}

#[test]
fn logins_are_serial_and_apart() {
    let mut logins = Logins::new(Logins::SPACING);
    let plants = [Plant::Ticker, Plant::Orders, Plant::History, Plant::Pnl];
    let mut links = plants.map(link);
    let mut worlds = plants.map(|_| World::new(Monotonic(SECOND)));
    for _ in 0..500 {
        for (link, world) in links.iter_mut().zip(&mut worlds) {
            world.run(link, &mut logins, Duration::from_millis(10));
        }
    }
    assert!(links.iter().all(Link::is_up));
    let mut tries: Vec<Monotonic> = worlds.iter().flat_map(|world| world.tries.clone()).collect();
    tries.sort();
    assert_eq!(tries.len(), 4);
    assert!(tries.windows(2).all(|pair| pair[1].since(pair[0]) >= Logins::SPACING), "{tries:?}");
}

#[test]
fn a_login_that_hangs_lets_the_others_go_on() {
    let mut logins = Logins::new(Logins::SPACING);
    let (mut hung, mut other) = (link(Plant::Ticker), link(Plant::Orders));
    let (mut hung_world, mut world) =
        (World::new(Monotonic(SECOND)), World::new(Monotonic(SECOND)));
    hung_world.gateway.is_mute = true;
    for _ in 0..800 {
        hung_world.run(&mut hung, &mut logins, Duration::from_millis(10));
        world.run(&mut other, &mut logins, Duration::from_millis(10));
    }
    assert!(hung_world.whys().contains(&Why::LoginUnanswered));
    assert!(other.is_up() && !hung.is_up());
}

#[test]
fn f16_a_drop_while_it_restores_is_tried_again() {
    let (mut world, mut link) = (World::new(Monotonic(SECOND)), link(Plant::History));
    let mut logins = Logins::new(Logins::SPACING);
    link.keep(subscription(), world.now, &mut Vec::new());
    world.gateway.answers = false;
    world.run(&mut link, &mut logins, Duration::from_secs(1));
    assert_eq!(link.state(), State::Restoring);
    let mut out = Vec::new();
    link.on_closed(world.now, &mut logins, &mut out);
    world.answer(&mut link, &mut logins, out);
    assert!(matches!(link.state(), State::Down { .. }));
    world.gateway.answers = true;
    world.run(&mut link, &mut logins, Duration::from_secs(5));
    assert_eq!((link.is_up(), link.generation()), (true, 2));
}

#[test]
fn a_forced_logout_is_one_retry_and_then_a_latch() {
    let (mut world, mut link, mut logins) = set_up();
    let mut out = Vec::new();
    world.tell(&rti::ForcedLogout::default(), &mut link, &mut logins, &mut out);
    world.answer(&mut link, &mut logins, out);
    world.run(&mut link, &mut logins, Duration::from_secs(29));
    assert_eq!(world.tries.len(), 1, "half a minute is waited");
    world.run(&mut link, &mut logins, Duration::from_secs(3));
    assert!(link.is_up());
    let mut out = Vec::new();
    world.tell(&rti::ForcedLogout::default(), &mut link, &mut logins, &mut out);
    world.answer(&mut link, &mut logins, out);
    assert_eq!(link.state(), State::LoggedOut(Latch::ForcedTwice));
    world.run(&mut link, &mut logins, Duration::from_secs(86_400));
    assert_eq!(world.tries.len(), 2);
    let mut out = Vec::new();
    link.release(world.now, &mut out);
    world.answer(&mut link, &mut logins, out);
    world.run(&mut link, &mut logins, Duration::from_secs(5));
    assert!(link.is_up());
}

#[test]
fn r10_a_login_that_can_never_succeed_is_tried_once() {
    let refusals = [
        ("13", "permission denied", Refusal::Permission),
        ("13", "bad user or password", Refusal::Password),
        ("11", "an agreement must be signed", Refusal::Agreement),
        ("7", "unknown system", Refusal::System),
    ];
    for (code, text, refusal) in refusals {
        let (mut world, mut link) = (World::new(Monotonic(SECOND)), link(Plant::Ticker));
        let mut logins = Logins::new(Logins::SPACING);
        world.gateway.login = (code, text);
        world.run(&mut link, &mut logins, Duration::from_secs(3_600));
        assert_eq!(link.state(), State::LoggedOut(Latch::Refused(refusal)));
        assert_eq!((world.tries.len(), &world.refused[..]), (1, &[format!("{code} {text}")][..]));
        assert!(refusal.remedy().len() > 20);
        // The next link may log in.
        let mut next = self::link(Plant::Pnl);
        world.gateway.login = ("0", "");
        world.run(&mut next, &mut logins, Duration::from_secs(2));
        assert!(next.is_up());
    }
}

#[test]
fn r10_a_refusal_of_unknown_reason_is_tried_three_times() {
    let (mut world, mut link) = (World::new(Monotonic(SECOND)), link(Plant::Ticker));
    let mut logins = Logins::new(Logins::SPACING);
    world.gateway.login = ("1055", "try later");
    world.run(&mut link, &mut logins, Duration::from_secs(3_600));
    assert_eq!(link.state(), State::LoggedOut(Latch::Refused(Refusal::Repeated)));
    assert_eq!(world.tries.len(), 3);
}

#[test]
fn t4_a_login_that_was_good_is_tried_as_long_as_the_maintenance_refuses_it() {
    let (mut world, mut link, mut logins) = set_up();
    world.gateway.login = ("1055", "try later");
    let (mut out, before) = (Vec::new(), world.tries.len());
    link.on_closed(world.now, &mut logins, &mut out);
    world.answer(&mut link, &mut logins, out);
    world.run(&mut link, &mut logins, Duration::from_secs(3_600));
    let tries = world.tries.len() - before;
    assert!(matches!(link.state(), State::Down { .. }) && (60..=360).contains(&tries), "{tries}");
    world.gateway.login = ("0", "");
    world.run(&mut link, &mut logins, Duration::from_secs(35));
    assert!(link.is_up());
}

#[test]
fn a_request_has_an_answer_or_an_end() {
    let (mut world, mut link, mut logins) = set_up();
    world.gateway.answers = false;
    let mut out = Vec::new();
    let patience = Duration::from_secs(2);
    let late = link.request(&subscription(), patience, world.now, &mut out).unwrap();
    world.answer(&mut link, &mut logins, out);
    world.run(&mut link, &mut logins, Duration::from_millis(1_900));
    assert!(world.unanswered.is_empty());
    world.run(&mut link, &mut logins, Duration::from_millis(200));
    assert_eq!(world.unanswered, [(late, Unanswered::Late)]);
    let mut out = Vec::new();
    let lost = link.request(&subscription(), patience, world.now, &mut out).unwrap();
    link.on_closed(world.now, &mut logins, &mut out);
    world.answer(&mut link, &mut logins, out);
    assert_eq!(world.unanswered[1], (lost, Unanswered::Lost));
    assert!(link.request(&subscription(), patience, world.now, &mut Vec::new()).is_err());
    // An answer that comes behind its end is nobody's.
    assert_ne!(late, lost);
}

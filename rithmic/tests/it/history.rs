//! The history plant's answers in virtual time: scenarios F2 and F16 as far as they are the past's.

use std::time::Duration;

use algospace_hft_rithmic::Monotonic;
use algospace_hft_rithmic::feed::{
    Aggressor, Answer, Contract, End, History, Minute, Query, Rows, Trade, What,
};
use algospace_hft_rithmic::link::{Link, LinkSettings, Logins, Output, Plant};
use algospace_hft_rithmic::wire::prost::Message as _;
use algospace_hft_rithmic::wire::{Incoming, Nanoseconds, Template, decode, encode, rti};

use crate::fuzz_history::rithmic_history;
use crate::links::World;
use crate::random::Random;

const SECOND: i64 = 1_000_000_000;
const DAWN: i64 = 1_700_000_040;
const ES: Contract = Contract { tick_size: 0.25, nanoseconds: Nanoseconds::Whole };

/// The way in which a plant cuts its answers.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// Without a word, after that many rows.
    Silently(usize),
    /// With a notice and a key, after that many rows.
    WithNotice(usize),
    /// The connection drops after that many rows.
    Dropped(usize),
}

/// A history plant, its link, and what asks it.
struct Scene {
    world: World,
    link: Link,
    logins: Logins,
    history: History,
    answers: Vec<Answer>,
    /// Frames that the link sent and nobody has answered.
    sent: Vec<Vec<u8>>,
    trades: Vec<Trade>,
    cut: Cut,
    /// The rows with which the plant continues, and the number of their request.
    rest: Option<(String, Vec<Trade>)>,
    requests: u32,
}

impl Scene {
    fn new(trades: Vec<Trade>, cut: Cut) -> Scene {
        let mut scene = Scene {
            world: World::new(Monotonic(1_000_000_000)),
            link: Link::new(Plant::History, LinkSettings::default(), 5),
            logins: Logins::new(Logins::SPACING),
            history: History::default(),
            answers: Vec::new(),
            sent: Vec::new(),
            trades,
            cut,
            rest: None,
            requests: 0,
        };
        scene.world.bring_up(&mut scene.link, &mut scene.logins);
        scene
    }

    /// Asks for all trades of the day, for which there are that many seconds.
    fn query(&mut self, what: What, seconds: u64) {
        self.query_with(7, what, seconds, false);
    }

    fn query_with(&mut self, key: u64, what: What, seconds: u64, is_urgent: bool) {
        self.history.query(Query {
            key,
            what,
            symbol: "ESZ6".to_owned(),
            exchange: "CME".to_owned(),
            contract: ES,
            from: DAWN * SECOND,
            to: (DAWN + 40_000) * SECOND,
            deadline: self.world.now.after(Duration::from_secs(seconds)),
            is_urgent,
        });
    }

    /// Lets the machine ask what it can.
    fn poll(&mut self) {
        let (now, link, mut out) = (self.world.now, &mut self.link, Vec::new());
        let mut ask = |body: &[u8], patience| link.request(body, patience, now, &mut out);
        self.history.on_time(now, &mut ask, &mut self.answers);
        self.keep(out);
    }

    fn keep(&mut self, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Send(frame) => self.sent.push(frame),
                Output::Unanswered(number, _) => self.history.on_unanswered(number),
                _ => {}
            }
        }
    }

    /// Lets the plant send a message.
    fn tell<M: Template>(&mut self, message: &M) {
        let frame = encode(message, None);
        let Ok(Incoming::Other(envelope, message)) = decode(&frame[4..]) else { panic!() };
        let (now, mut out) = (self.world.now, Vec::new());
        self.link.on_traffic(now, &mut out);
        if !self.link.on_message(&envelope, message, now, &mut self.logins, &mut out) {
            let link = &mut self.link;
            let mut ask = |body: &[u8], patience| link.request(body, patience, now, &mut out);
            let (history, answers) = (&mut self.history, &mut self.answers);
            assert!(history.on_message(&envelope, message, now, &mut ask, answers));
        }
        self.keep(out);
    }

    /// Lets the plant answer until the machine has its answer.
    fn run(&mut self) -> Answer {
        while self.answers.is_empty() {
            self.poll();
            for frame in std::mem::take(&mut self.sent) {
                let Ok(Incoming::Other(envelope, message)) = decode(&frame[4..]) else { panic!() };
                match envelope.template {
                    206 => self.replay(&rti::RequestTickBarReplay::decode(message).unwrap()),
                    210 => self.resume(&rti::RequestResumeBars::decode(message).unwrap()),
                    other => assert_eq!(other, 18),
                }
            }
            if !self.link.is_up() {
                self.world.run(&mut self.link, &mut self.logins, Duration::from_secs(2));
            }
        }
        self.answers.remove(0)
    }

    fn replay(&mut self, request: &rti::RequestTickBarReplay) {
        self.requests += 1;
        let (start, finish) = (request.start_index.unwrap(), request.finish_index.unwrap());
        assert_eq!((request.resume_bars, request.symbol.as_deref()), (Some(true), Some("ESZ6")));
        let inside = |trade: &&Trade| (start..=finish).contains(&((trade.time / SECOND) as i32));
        let rows = self.trades.iter().filter(inside).copied().collect();
        self.send(request.user_msg[0].clone(), rows);
    }

    fn resume(&mut self, request: &rti::RequestResumeBars) {
        assert_eq!(request.request_key.as_deref(), Some("0"));
        let mut answer = rti::ResponseResumeBars::default();
        (answer.user_msg, answer.rp_code) = (request.user_msg.clone(), vec!["0".to_owned()]);
        self.tell(&answer);
        let (number, rows) = self.rest.take().expect("a cut");
        self.send(number, rows);
    }

    fn send(&mut self, number: String, mut rows: Vec<Trade>) {
        let (Cut::Silently(room) | Cut::WithNotice(room) | Cut::Dropped(room)) = self.cut;
        let rest = rows.split_off(rows.len().min(room));
        for row in rows {
            self.tell(&tick(&number, &row));
        }
        let mut end = rti::ResponseTickBarReplay::default();
        end.user_msg = vec![number.clone()];
        match self.cut {
            Cut::WithNotice(_) if !rest.is_empty() => {
                end.request_key = Some("0".to_owned());
                self.rest = Some((number, rest));
                // A notice that is repeated is the same cut.
                self.tell(&end);
            }
            Cut::Dropped(_) if !rest.is_empty() => {
                let mut out = Vec::new();
                self.link.on_closed(self.world.now, &mut self.logins, &mut out);
                return self.keep(out);
            }
            _ => end.rp_code = vec!["0".to_owned()],
        }
        self.tell(&end);
    }
}

/// Returns the part of an answer that tells a trade: its first time is the request's.
fn tick(number: &str, trade: &Trade) -> rti::ResponseTickBarReplay {
    let mut part = rti::ResponseTickBarReplay::default();
    part.user_msg = vec![number.to_owned()];
    part.rq_handler_rp_code = vec!["0".to_owned()];
    part.close_price = Some(trade.ticks as f64 * ES.tick_size);
    part.volume = Some(u64::from(trade.size));
    part.bid_volume = part.volume;
    part.data_bar_ssboe = vec![DAWN as i32, (trade.time / SECOND) as i32];
    part.data_bar_usecs = vec![0, (trade.time % SECOND / 1_000) as i32];
    part
}

/// Trades of a day, many of the same microsecond, some seconds empty.
fn trades(random: &mut Random, count: usize) -> Vec<Trade> {
    let mut time = DAWN * SECOND;
    let trades = (0..count).map(|_| {
        if !random.once_in(3) {
            time += random.below(2_500_000) as i64 * 1_000;
        }
        Trade {
            time,
            gateway_time: time,
            ticks: 10_000 + random.below(40) as i64,
            size: 1 + random.below(9) as u32,
            volume: None,
            aggressor: Aggressor::Seller,
            is_snapshot: false,
            bid: None,
            ask: None,
        }
    });
    trades.collect()
}

#[test]
fn rows_beyond_what_an_answer_holds_come_once_each() {
    let cuts = [
        (Cut::Silently(10_000), 3),
        (Cut::Silently(700), 4),
        (Cut::WithNotice(1_000), 2),
        (Cut::Dropped(900), 3),
    ];
    for (cut, least) in cuts {
        let trades = trades(&mut Random(1), if least == 3 { 21_000 } else { 2_500 });
        let trades = if matches!(cut, Cut::Dropped(_)) { trades[..2_500].to_vec() } else { trades };
        let mut scene = Scene::new(trades, cut);
        scene.query(What::Trades, 600);
        let answer = scene.run();
        let Rows::Trades(rows) = &answer.rows else { panic!() };
        assert!(rows == &scene.trades, "{cut:?}: {} of {}", rows.len(), scene.trades.len());
        assert_eq!((answer.key, answer.end, scene.history.invalid()), (7, End::Whole, 0));
        assert!(scene.requests >= least, "{cut:?}: {} requests", scene.requests);
    }
}

#[test]
fn an_urgent_query_goes_first_and_the_rows_of_the_other_are_kept() {
    let mut scene = Scene::new(trades(&mut Random(4), 2_500), Cut::WithNotice(1_000));
    scene.query(What::Trades, 600);
    scene.poll();
    // A part of the answer is there.
    scene.sent.clear();
    for trade in &scene.trades.clone()[..1_200] {
        scene.tell(&tick("2", trade));
    }
    let (rows, last) = scene.history.progress(7).unwrap();
    assert_eq!((rows, last), (1_200, scene.trades[1_199].time));
    scene.query_with(8, What::Trades, 600, true);
    scene.query_with(9, What::Trades, 600, true);
    scene.query_with(10, What::Trades, 600, false);
    scene.history.forget(10);
    // What the plant had on its way comes all the same.
    scene.tell(&tick("2", &scene.trades[1_200].clone()));
    for key in [8, 9, 7] {
        let answer = scene.run();
        assert_eq!((answer.key, answer.end), (key, End::Whole));
        assert!(answer.rows == Rows::Trades(scene.trades.clone()), "{key}");
    }
    scene.poll();
    assert!(scene.sent.is_empty() && scene.answers.is_empty());
}

#[test]
fn f16_an_expired_contract_a_refusal_and_silence_are_told_apart() {
    let mut scene = Scene::new(Vec::new(), Cut::Silently(1));
    scene.query(What::Trades, 10);
    let nothing = Rows::Trades(Vec::new());
    assert_eq!(scene.run(), Answer { key: 7, rows: nothing.clone(), end: End::Empty });

    scene.query(What::Trades, 10);
    scene.poll();
    scene.sent.clear();
    let mut refusal = rti::ResponseTickBarReplay::default();
    refusal.user_msg = vec!["3".to_owned()];
    refusal.rp_code = vec!["13".to_owned(), "permission denied".to_owned()];
    scene.tell(&refusal);
    let end = End::Refused("13".to_owned(), "permission denied".to_owned());
    assert_eq!(scene.answers, [Answer { key: 7, rows: nothing.clone(), end }]);

    // Nothing comes: it is asked again each five seconds, until its time is over.
    scene.answers.clear();
    scene.query(What::Trades, 12);
    let mut asked = 0;
    while scene.answers.is_empty() {
        scene.poll();
        asked += std::mem::take(&mut scene.sent).len();
        scene.world.now = scene.world.now.after(Duration::from_millis(100));
        let (now, mut out) = (scene.world.now, Vec::new());
        // The link lives.
        scene.link.on_traffic(now, &mut out);
        scene.link.on_time(now, &mut scene.logins, &mut out);
        scene.keep(out);
    }
    assert_eq!((scene.answers.remove(0).end, asked), (End::Late, 3));

    // A link that is down takes nothing, and time passes all the same.
    let mut out = Vec::new();
    scene.link.on_closed(scene.world.now, &mut scene.logins, &mut out);
    scene.query(What::Minutes, 1);
    scene.poll();
    scene.world.now = scene.world.now.after(Duration::from_secs(1));
    scene.poll();
    assert_eq!(scene.answers[0].end, End::Late);
}

#[test]
fn a_second_with_more_rows_than_an_answer_is_told_as_cut() {
    let mut trades = trades(&mut Random(2), 10_500);
    trades.iter_mut().for_each(|trade| trade.time = DAWN * SECOND);
    let mut scene = Scene::new(trades, Cut::Silently(10_000));
    scene.query(What::Trades, 600);
    assert_eq!(scene.run().end, End::Cut);
}

#[test]
fn rows_that_are_not_valid_are_skipped_and_counted() {
    let mut scene = Scene::new(Vec::new(), Cut::Silently(1));
    scene.query(What::Trades, 10);
    scene.poll();
    let good = trades(&mut Random(3), 1)[0];
    type Change = fn(&mut rti::ResponseTickBarReplay);
    let changes: [Change; 7] = [
        |_| (),
        |part| part.close_price = Some(-1.0),
        |part| part.close_price = Some(0.0),
        |part| part.close_price = Some(100.1),
        |part| part.volume = Some(0),
        |part| part.data_bar_usecs = vec![0, 1_000_000],
        |part| part.data_bar_ssboe = vec![0, -1],
    ];
    for change in changes {
        let mut part = tick("2", &good);
        change(&mut part);
        scene.tell(&part);
    }
    let mut end = rti::ResponseTickBarReplay::default();
    (end.user_msg, end.rp_code) = (vec!["2".to_owned()], vec!["0".to_owned()]);
    scene.tell(&end);
    assert_eq!(scene.answers[0].rows, Rows::Trades(vec![good]));
    assert_eq!(scene.history.invalid(), 6);
}

#[test]
fn minutes_are_marked_by_their_ends() {
    let mut scene = Scene::new(Vec::new(), Cut::Silently(1));
    scene.query(What::Minutes, 10);
    scene.poll();
    let frame = scene.sent.pop().unwrap();
    let request = rti::RequestTimeBarReplay::decode(&frame[4..]).unwrap();
    assert_eq!((request.template_id, request.bar_type_period), (202, Some(1)));
    assert_eq!(request.start_index, Some(DAWN as i32));
    let last = (DAWN + 40_000) / 60 * 60 + 60;
    assert_eq!(request.finish_index, Some(last as i32));
    let mut minutes = Vec::new();
    for mark in [DAWN + 60, DAWN + 120, DAWN + 121, last] {
        let mut part = rti::ResponseTimeBarReplay::default();
        part.user_msg = request.user_msg.clone();
        part.rq_handler_rp_code = vec!["0".to_owned()];
        (part.marker, part.volume) = (Some(mark as i32), Some(mark as u64));
        scene.tell(&part);
        minutes.push(Minute { start: (mark - 60) * SECOND, volume: mark as u64 });
    }
    let mut end = rti::ResponseTimeBarReplay::default();
    (end.user_msg, end.rp_code) = (request.user_msg, vec!["0".to_owned()]);
    scene.tell(&end);
    minutes.remove(2);
    let answer = Answer { key: 7, rows: Rows::Minutes(minutes), end: End::Whole };
    assert_eq!((scene.answers, scene.history.invalid()), (vec![answer], 1));
}

#[test]
fn the_fuzz_target_comes_back_from_damaged_parts() {
    let mut random = Random(9);
    for _ in 0..500 {
        let mut frame = Vec::new();
        for trade in trades(&mut random, 6) {
            let mut part = tick("", &trade);
            part.user_msg.clear();
            let mut minute = rti::ResponseTimeBarReplay::default();
            minute.rq_handler_rp_code = vec!["0".to_owned()];
            (minute.marker, minute.volume) =
                (Some((trade.time / SECOND) as i32 / 60 * 60), Some(7));
            match random.below(6) {
                0 => part.rq_handler_rp_code.clear(),
                1 => (part.request_key, part.rq_handler_rp_code) = (Some("0".to_owned()), vec![]),
                2 => (part.rp_code, minute.rp_code) = (vec!["0".to_owned()], vec!["7".to_owned()]),
                _ => {}
            }
            frame.extend(encode(&part, None));
            frame.extend(encode(&minute, None));
        }
        for _ in 0..random.below(4) {
            let place = random.below(frame.len() as u64) as usize;
            frame[place] ^= 1 << random.below(8);
        }
        rithmic_history(&frame);
    }
}

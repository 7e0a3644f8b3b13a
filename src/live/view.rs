//! The status of a paper session as text: some lines that are redrawn, one line, or JSON.

use std::time::Duration;

use serde_json::{Value, json};

use super::seam::second;
use super::status::{AccountStatus, FeedStatus, LinkStatus, Status};
use crate::market::Money;

/// The longest time between two plain lines, in which nothing changed.
const QUIET: Duration = Duration::from_secs(60);
/// The shortest time between two lines of JSON.
const JSON_PACE: Duration = Duration::from_secs(1);
/// Width of the labels.
const LABEL: usize = 10;

/// Returns the status in a fixed number of lines, for a terminal that is redrawn.
pub fn lines(status: &Status) -> Vec<String> {
    let labelled = |label: &str, text: String| format!("{label:<LABEL$}{text}");
    vec![
        labelled("market", market(status)),
        labelled("feed", feed(&status.feed)),
        labelled("links", listed(status.links.iter().map(link), "none")),
        labelled("bars", bars(status)),
        labelled("position", account(&status.account)),
        labelled("entries", entries(status)),
        labelled("latency", latency(status)),
        labelled("counts", counts(status)),
    ]
}

/// Returns the status in one line, for a log.
pub fn line(status: &Status) -> String {
    let feed = format!("feed {}", feed(&status.feed));
    let bars = format!("bars {}", bars(status));
    let entries = format!("entries {}", entries(status));
    [market(status), feed, bars, account(&status.account), entries].join("; ")
}

/// Returns the status as one line of JSON. Times are UTC, money in dollars, durations in
/// microseconds.
pub fn json_line(status: &Status) -> String {
    let micros = |span: Duration| span.as_micros() as u64;
    let text = |it: &dyn std::fmt::Display| it.to_string();
    let links: Vec<Value> = status
        .links
        .iter()
        .map(|it| {
            json!({
                "plant": it.plant, "state": it.state, "connections": it.connections,
                "remedy": it.remedy,
            })
        })
        .collect();
    let bars: Vec<Value> = status
        .bars
        .iter()
        .map(|it| {
            json!({
                "timeframe": text(&it.timeframe), "closed": it.closed, "incomplete": it.incomplete,
            })
        })
        .collect();
    let counters: serde_json::Map<String, Value> =
        status.counters.iter().map(|(name, count)| (name.clone(), json!(count))).collect();
    let FeedStatus { age, last, trades, gaps, missing, unmeasured, recovered, is_in_gap } =
        &status.feed;
    let AccountStatus { position, day, open, equity } = &status.account;
    json!({
        "status": {
            "time": status.time.map(|it| text(&it)),
            "contract": status.contract,
            "open": status.is_open,
            "feed": {
                "age_microseconds": age.map(micros), "last": last.map(|it| text(&it)),
                "trades": trades, "gaps": gaps, "missing": missing, "unmeasured_gaps": unmeasured,
                "recovered": recovered,
                "in_gap": is_in_gap,
            },
            "links": links,
            "bars": bars,
            "position": position,
            "day_profit": text(day),
            "open_profit": text(open),
            "equity": text(equity),
            "stopped": status.stopped,
            "warm_up": status.warm_up,
            "latency": status.latency.as_ref().map(|it| json!({
                "span": it.span, "p50_microseconds": micros(it.p50),
                "p99_microseconds": micros(it.p99),
            })),
            "counters": counters,
        }
    })
    .to_string()
}

/// Form of the lines of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people: at each change that matters, and every minute.
    Plain,
    /// For programs: once a second.
    Json,
}

/// Decides which status becomes a line.
#[derive(Debug)]
pub struct Teller {
    form: Form,
    /// The last line's time and what it said that matters.
    last: Option<(Duration, Gist)>,
}

/// The part of a status of which each change is told.
#[derive(Debug, PartialEq)]
struct Gist {
    contract: String,
    is_open: bool,
    is_in_gap: bool,
    gaps: u64,
    links: Vec<LinkStatus>,
    position: i64,
    stopped: Vec<String>,
    is_warm: bool,
}

impl Gist {
    fn of(status: &Status) -> Gist {
        Gist {
            contract: status.contract.clone(),
            is_open: status.is_open,
            is_in_gap: status.feed.is_in_gap,
            gaps: status.feed.gaps,
            links: status.links.clone(),
            position: status.account.position,
            stopped: status.stopped.clone(),
            is_warm: status.warm_up.is_none(),
        }
    }
}

impl Teller {
    /// Creates a teller that has told nothing.
    pub fn new(form: Form) -> Teller {
        Teller { form, last: None }
    }

    /// Returns the line to print for a status `now`, on any clock that never steps; `None` if there
    /// is nothing to tell.
    pub fn tell(&mut self, status: &Status, now: Duration) -> Option<String> {
        let gist = Gist::of(status);
        let is_due = self.last.as_ref().is_none_or(|(at, before)| {
            let silence = now.saturating_sub(*at);
            match self.form {
                Form::Plain => silence >= QUIET || gist != *before,
                Form::Json => silence >= JSON_PACE,
            }
        });
        is_due.then(|| {
            self.last = Some((now, gist));
            match self.form {
                Form::Plain => line(status),
                Form::Json => json_line(status),
            }
        })
    }
}

/// Returns texts with a dot between them; `nothing` in place of an empty list.
fn listed(texts: impl Iterator<Item = String>, nothing: &str) -> String {
    let texts: Vec<String> = texts.collect();
    if texts.is_empty() { nothing.to_owned() } else { texts.join(" · ") }
}

fn market(status: &Status) -> String {
    let contract = if status.contract.is_empty() { "contract unknown" } else { &status.contract };
    let time = status.time.map_or_else(|| "no time yet".to_owned(), second);
    let session = if status.is_open { "open" } else { "closed" };
    format!("{contract}, {session}, {time}")
}

fn feed(feed: &FeedStatus) -> String {
    let age = match feed.age {
        None => "no data yet".to_owned(),
        Some(age) if age < Duration::from_secs(1) => "fresh".to_owned(),
        Some(age) => format!("{} old", span(age)),
    };
    let last = feed.last.map_or_else(String::new, |price| format!(" · last {price}"));
    let lost = feed.missing.saturating_sub(feed.recovered);
    let gaps = match (feed.gaps, lost, feed.unmeasured) {
        (0, ..) => "no gaps".to_owned(),
        (gaps, 0, 0) => format!("{}, all recovered", counted(gaps, "gap")),
        (gaps, _, 0) => format!("{}, {} missing", counted(gaps, "gap"), counted(lost, "contract")),
        (gaps, ..) => {
            let lost = counted(lost, "contract");
            format!("{}, {lost} missing and more in {}", counted(gaps, "gap"), feed.unmeasured)
        }
    };
    let now = if feed.is_in_gap { " (one is open)" } else { "" };
    format!("{age}{last} · {} · {gaps}{now}", counted(feed.trades, "trade"))
}

fn link(link: &LinkStatus) -> String {
    let again = match link.connections {
        0 | 1 => String::new(),
        count => format!(" ({count} connections)"),
    };
    let remedy = link.remedy.map_or_else(String::new, |remedy| format!(": {remedy}"));
    format!("{} {}{again}{remedy}", link.plant, link.state)
}

fn bars(status: &Status) -> String {
    let one = |bars: &super::status::BarStatus| {
        let incomplete = match bars.incomplete {
            0 => String::new(),
            count => format!(", {count} incomplete"),
        };
        format!("{}: {}{incomplete}", bars.timeframe, bars.closed)
    };
    listed(status.bars.iter().map(one), "none yet")
}

fn account(account: &AccountStatus) -> String {
    let held = match account.position {
        0 => "flat".to_owned(),
        position => {
            let side = if position > 0 { "long" } else { "short" };
            format!("{side} {}, open {}", position.unsigned_abs(), dollars(account.open))
        }
    };
    format!("{held} · session {} · equity {}", dollars(account.day), dollars(account.equity))
}

fn entries(status: &Status) -> String {
    let warm_up = status.warm_up.iter().map(|missing| format!("not warm: {missing}"));
    listed(status.stopped.iter().cloned().chain(warm_up), "allowed")
}

fn latency(status: &Status) -> String {
    match &status.latency {
        None => "not measured yet".to_owned(),
        Some(it) => format!("{}: p50 {}, p99 {}", it.span, span(it.p50), span(it.p99)),
    }
}

fn counts(status: &Status) -> String {
    let counters = status.counters.iter().filter(|(_, count)| *count > 0);
    listed(counters.map(|(name, count)| format!("{name} {count}")), "nothing yet")
}

/// Returns a number and its noun.
fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Returns dollars with cents and a sign where negative.
fn dollars(money: Money) -> String {
    let sign = if money.nanos() < 0 { "-" } else { "" };
    format!("{sign}${:.2}", money.as_f64().abs())
}

/// Returns a span with two or three digits and its unit.
fn span(span: Duration) -> String {
    let (seconds, micros) = (span.as_secs(), span.as_micros());
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{:.1} ms", micros as f64 / 1e3),
        1_000_000..120_000_000 => format!("{:.1} s", span.as_secs_f64()),
        _ => format!("{} min", seconds / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::super::status::{BarStatus, LatencyStatus};
    use super::*;
    use crate::market::Timeframe;

    fn link(plant: &'static str, state: &'static str, connections: u32) -> LinkStatus {
        LinkStatus { plant, state, connections, remedy: None }
    }

    /// A session in which everything has happened.
    fn busy() -> Status {
        Status {
            time: Some("2026-12-01T14:35:02.5Z".parse().unwrap()),
            contract: "ESZ6".to_owned(),
            is_open: true,
            feed: FeedStatus {
                age: Some(Duration::from_millis(2_300)),
                last: Some("4512.25".parse().unwrap()),
                trades: 1_204,
                gaps: 2,
                missing: 12,
                unmeasured: 0,
                recovered: 11,
                is_in_gap: true,
            },
            links: vec![link("ticker", "live", 3), link("history", "logging in", 1)],
            bars: vec![
                BarStatus { timeframe: Timeframe::MINUTES_5, closed: 112, incomplete: 1 },
                BarStatus { timeframe: Timeframe::MINUTES_30, closed: 18, incomplete: 0 },
            ],
            account: AccountStatus {
                position: -2,
                day: Money::from_nanos(-37_500_000_000),
                open: Money::from_dollars(125),
                equity: Money::from_nanos(99_962_500_000_000),
            },
            stopped: vec!["the feed is stale".to_owned()],
            warm_up: Some("matrix regime needs 12 bars".to_owned()),
            latency: Some(LatencyStatus {
                span: "frame to order",
                p50: Duration::from_micros(31),
                p99: Duration::from_micros(1_240),
            }),
            counters: vec![("orders".to_owned(), 3), ("fills".to_owned(), 0)],
        }
    }

    #[test]
    fn a_busy_session_is_told_in_full() {
        assert_eq!(
            lines(&busy()),
            [
                "market    ESZ6, open, 2026-12-01T14:35:02Z",
                "feed      2.3 s old · last 4512.25 · 1204 trades · 2 gaps, 1 contract missing (one is open)",
                "links     ticker live (3 connections) · history logging in",
                "bars      5m: 112, 1 incomplete · 30m: 18",
                "position  short 2, open $125.00 · session -$37.50 · equity $99962.50",
                "entries   the feed is stale · not warm: matrix regime needs 12 bars",
                "latency   frame to order: p50 31 µs, p99 1.2 ms",
                "counts    orders 3",
            ]
        );
    }

    #[test]
    fn a_session_that_has_not_begun_has_as_many_lines() {
        let lines = lines(&Status::default());
        assert_eq!(lines.len(), super::lines(&busy()).len());
        assert_eq!(lines[0], "market    contract unknown, closed, no time yet");
        assert_eq!(lines[1], "feed      no data yet · 0 trades · no gaps");
        assert_eq!(lines[5], "entries   allowed");
        let feed = FeedStatus { gaps: 2, unmeasured: 1, missing: 3, ..FeedStatus::default() };
        let gaps = super::lines(&Status { feed, ..Status::default() })[1].clone();
        assert!(gaps.ends_with("2 gaps, 3 contracts missing and more in 1"), "{gaps}");
        let refused = LinkStatus { remedy: Some("check the user"), ..link("ticker", "down", 0) };
        let status = Status { links: vec![refused], ..Status::default() };
        assert!(line(&status).starts_with("contract unknown"));
        assert_eq!(super::lines(&status)[2], "links     ticker down: check the user");
    }

    #[test]
    fn plain_lines_come_at_changes_and_every_minute() {
        let mut teller = Teller::new(Form::Plain);
        let at = Duration::from_secs;
        let mut status = busy();
        assert_eq!(teller.tell(&status, at(5)), Some(line(&status)));
        // Prices, ages and counts change all the time.
        status.feed.age = Some(at(0));
        status.feed.trades += 1;
        status.bars[0].closed += 1;
        status.account.open = Money::default();
        assert_eq!(teller.tell(&status, at(64)), None);
        assert!(teller.tell(&status, at(65)).is_some());
        let changes: [fn(&mut Status); 7] = [
            |it| it.contract.clear(),
            |it| it.is_open = false,
            |it| it.feed.is_in_gap = false,
            |it| it.links[0].state = "down",
            |it| it.account.position = 0,
            |it| it.stopped.clear(),
            |it| it.warm_up = None,
        ];
        for change in changes {
            change(&mut status);
            assert_eq!(teller.tell(&status, at(65)), Some(line(&status)));
            assert_eq!(teller.tell(&status, at(65)), None);
        }
    }

    #[test]
    fn json_comes_once_a_second_and_says_the_same() {
        let mut teller = Teller::new(Form::Json);
        let mut told = |millis| teller.tell(&busy(), Duration::from_millis(millis));
        let line = told(0).unwrap();
        assert!(told(999).is_none() && told(1000).is_some());
        assert!(!line.contains('\n'));
        let value: Value = serde_json::from_str(&line).unwrap();
        let status = &value["status"];
        assert_eq!(status["time"], "2026-12-01T14:35:02.500000000Z");
        assert_eq!(status["feed"]["age_microseconds"], 2_300_000);
        assert_eq!(status["links"][1]["state"], "logging in");
        assert_eq!(status["bars"][0], json!({ "timeframe": "5m", "closed": 112, "incomplete": 1 }));
        assert_eq!((&status["position"], &status["day_profit"]), (&json!(-2), &json!("-37.5")));
        assert_eq!(status["latency"]["p99_microseconds"], 1_240);
        assert_eq!(status["counters"], json!({ "orders": 3, "fills": 0 }));
    }
}

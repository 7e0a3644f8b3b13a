//! A run that continues after its process was killed: the chain of its journals is one run.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use algospace_hft::config::Config;
use algospace_hft::engine::pinned::ThreadLayout;
use algospace_hft::engine::{Action, Entry, Event, Output, RunJournal, Sink};
use algospace_hft::execution::ExitReason;
use algospace_hft::journal::Journal;
use algospace_hft::market::{Timeframe, Timestamp};
use algospace_hft::run::{
    JournalChain, JournalHeader, Replayed, begin_next, journal_path, replay_journal, run_backtest,
};
use proptest::prelude::*;

use crate::assembly::Setup;
use crate::assembly::random::{any_setup, any_step, market_of, restless};
use crate::assembly::threads::header;

/// The actions of one event.
#[derive(Default)]
struct Actions(Vec<Action>);

impl Sink for Actions {
    fn output(&mut self, output: &Output<'_>) {
        if let Output::Action(action) = output {
            self.0.push(*action);
        }
    }
}

/// A process of a run: it takes the chain's events and then `events` of those that follow. Returns
/// the state in which it is killed, and the actions of each event.
fn process(
    setup: &Setup,
    folder: &Path,
    all: &[Event],
    events: usize,
) -> (String, Vec<(u64, Action)>) {
    let mut pipeline = setup.pipeline(restless(Timeframe::MINUTE_1, |_| {}));
    let mut sink = Actions::default();
    let mut done = 0;
    if fs::read_dir(folder).unwrap().next().is_some() {
        for event in JournalChain::open(folder).unwrap().events() {
            let (number, event) = event.unwrap();
            assert_eq!((number, event), (done as u64, all[done]));
            pipeline.on_event(&event, &mut sink);
            done += 1;
        }
    }
    sink.0.clear();
    let mut journal = begin_next(folder, &header(ThreadLayout::Fused)).unwrap();
    let mut actions = Vec::new();
    for (number, event) in all[done..].iter().take(events).enumerate() {
        journal.event(number as u64, event).unwrap();
        pipeline.on_event(event, &mut sink);
        for action in sink.0.drain(..) {
            journal.action(number as u64, &action).unwrap();
            actions.push(((done + number) as u64, action));
        }
    }
    (format!("{:?} {:?}", pipeline.desk(), pipeline.features()), actions)
}

/// The journals of a folder in the order of their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::sampling::runs(10, 40)))]

    /// Each process is killed somewhere, and its file is cut at any byte behind the header. In the
    /// end everything is that of a run that was never killed, and no file was changed by a later
    /// process.
    #[test]
    fn a_run_that_is_killed_again_and_again_ends_as_one_that_was_not(
        steps in prop::collection::vec(any_step(), 20..150),
        setup in any_setup(),
        kills in prop::collection::vec((1_usize..60, any::<prop::sample::Index>()), 0..4),
    ) {
        let mut all: Vec<Event> =
            market_of(&steps, false, false).into_iter().map(Event::Tick).collect();
        all.push(Event::End(ExitReason::EndOfData));
        let folder = tempfile::tempdir().unwrap();
        let whole = tempfile::tempdir().unwrap();
        let expected = process(&setup, whole.path(), &all, usize::MAX);
        let mut kept: Vec<Vec<u8>> = Vec::new();
        for (events, cut) in kills {
            process(&setup, folder.path(), &all, events.min(all.len() / 5));
            let newest = files(folder.path()).pop().unwrap();
            let mut bytes = fs::read(&newest).unwrap();
            let journal = Journal::open(&newest).unwrap();
            let start = (24 + journal.header().len()).next_multiple_of(8);
            let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
            bytes.truncate(start + cut.index(end.max(start + 1) - start));
            fs::write(&newest, &bytes).unwrap();
            kept.push(bytes);
        }
        let (state, actions) = process(&setup, folder.path(), &all, usize::MAX);
        prop_assert_eq!(&state, &expected.0);
        let first = actions.first().map_or(0, |&(event, _)| event);
        let rest = expected.1.iter().filter(|&&(event, _)| event >= first).copied();
        prop_assert_eq!(actions, rest.collect::<Vec<_>>());
        let paths = files(folder.path());
        prop_assert_eq!(paths.len(), kept.len() + 1);
        for (path, bytes) in paths.iter().zip(kept) {
            prop_assert!(fs::read(path).unwrap() == bytes);
        }
        let chained: Vec<Event> =
            JournalChain::open(folder.path()).unwrap().events().map(|it| it.unwrap().1).collect();
        prop_assert_eq!(chained, all);
        // The run has ended: what comes next is another one.
        begin_next(folder.path(), &header(ThreadLayout::Fused)).unwrap();
        prop_assert_eq!(JournalChain::open(folder.path()).unwrap().events().count(), 0);
    }
}

/// Writes entries as the next file of a chain, whose events begin at `first`, and drops or ends it.
fn write_next(folder: &Path, header: &JournalHeader, entries: &[Entry], first: u64, ends: bool) {
    let mut journal: RunJournal = begin_next(folder, header).unwrap();
    for entry in entries {
        match entry {
            Entry::Event(number, event) => journal.event(number - first, event).unwrap(),
            Entry::Action(number, action) => journal.action(number - first, action).unwrap(),
        }
    }
    if ends {
        journal.finish().unwrap();
    }
}

/// The journal of a backtest of some days, taken apart.
struct Journaled {
    folder: tempfile::TempDir,
    path: PathBuf,
    header: JournalHeader,
    entries: Vec<Entry>,
}

fn journaled(days: u32) -> Journaled {
    let folder = tempfile::tempdir().unwrap();
    let yaml = format!(
        "data_handler: {{ backtest_settings: {{
  synthetic: {{ days: {days}, seed: 5, trades_per_day: 2000 }} }} }}
strategy: {{ kind: random_entries, random_entries: {{ entries_per_hundred_bars: 60, hold_bars: 3 }} }}
pipeline: {{ journal: true }}
output: {{ directory: {} }}
",
        folder.path().join("run").display()
    );
    let config = Config::parse(&yaml, "test", &Default::default()).unwrap();
    run_backtest(&config, &Arc::new(AtomicBool::new(false)), &mut |_| {}, &|_| {}).unwrap();
    let path = journal_path(&config);
    let journal = Journal::open(&path).unwrap();
    let header: JournalHeader = serde_json::from_slice(journal.header()).unwrap();
    let entries: Vec<Entry> =
        journal.records().map(|record| Entry::of(&record).unwrap()).map(Result::unwrap).collect();
    Journaled { folder, path, header, entries }
}

/// The reports of the sessions of a run that was killed and continues are that run, cut in pieces.
#[cfg(feature = "live")]
#[test]
fn the_reports_of_its_sessions_are_the_run_cut_at_their_opens() {
    use algospace_hft::live::write_session_report;
    use algospace_hft::market::Calendar;
    use algospace_hft::run::replay_session;

    let Journaled { folder, path, header, entries } = journaled(3);
    let stop = AtomicBool::new(false);
    let whole = replay_journal(&path, &stop, &mut |_, _| {}).unwrap().record;
    let chain = folder.path().join("chain");
    fs::create_dir(&chain).unwrap();
    // The process is killed in the middle; its successor has not ended.
    let is_event = |entry: &&Entry| matches!(entry, Entry::Event(_, Event::Tick(_)));
    let middle = entries.len() / 2;
    let seam = middle + entries[middle..].iter().position(|it| is_event(&it)).unwrap();
    let Entry::Event(first, _) = entries[seam] else { unreachable!("it was sought") };
    write_next(&chain, &header, &entries[..seam], 0, false);
    write_next(&chain, &header, &entries[seam..], first, false);

    let calendar = Calendar::CmeEquityIndex;
    let mut session = calendar.session_at_or_after(whole.first_tick.unwrap());
    let (mut money, mut ticks, mut orders, mut trades) = (whole.initial_capital, 0, 0, Vec::new());
    for _ in 0..3 {
        let record = replay_session(&chain, calendar, &session, &stop).unwrap();
        let next = calendar.session_at_or_after(session.close);
        let is_in = |time| time >= session.open && time < next.open;
        let expected: Vec<_> =
            whole.equity.iter().filter(|point| is_in(point.time)).copied().collect();
        assert!(expected.len() > 100);
        assert_eq!(record.equity, expected);
        assert_eq!(record.initial_capital, money);
        assert!(record.trades.iter().all(|trade| is_in(trade.exit_time)));
        assert!(record.first_tick.unwrap() >= session.open);
        money = expected.last().unwrap().equity;
        ticks += record.ticks;
        orders += record.counters.iter().find(|(name, _)| name == "orders").unwrap().1;
        trades.extend(record.trades.iter().copied());

        let summary = write_session_report(&chain, calendar, &session, &stop).unwrap();
        assert_eq!(summary.statistics.trades, record.trades.len() as u64);
        let report = chain.join(session.trade_date.to_string()).join("report.html");
        assert!(report.is_file(), "{}", report.display());
        session = next;
    }
    assert_eq!((ticks, trades), (whole.ticks, whole.trades.clone()));
    assert_eq!(
        Some(orders),
        whole.counters.iter().find(|(name, _)| name == "orders").map(|it| it.1)
    );
}

#[test]
fn a_chain_replays_as_the_run_whose_journal_it_divides() {
    let Journaled { folder, path, header, entries } = journaled(2);
    let replay = |path: &Path| replay_journal(path, &AtomicBool::new(false), &mut |_, _| {});
    let whole = replay(&path).unwrap();
    assert!(whole.is_whole && whole.same_actions > 50, "{whole:?}");
    // Behind an action that others of its event may follow, and behind everything of an event.
    let is_action = |entry: &Entry| matches!(entry, Entry::Action(..));
    let last = entries.iter().rposition(|entry| !is_action(entry)).unwrap();
    let second = entries[..last].windows(2).rposition(|two| two.iter().all(is_action)).unwrap();
    let event_of = |entry: &Entry| match entry {
        Entry::Event(number, _) | Entry::Action(number, _) => *number,
    };
    for (lost, cut) in [(0, second + 2), (1, second + 1)] {
        let chain = folder.path().join(format!("chain{lost}"));
        fs::create_dir(&chain).unwrap();
        let seam = cut + entries[cut..].iter().position(|entry| !is_action(entry)).unwrap();
        let first = event_of(&entries[seam]);
        write_next(&chain, &header, &entries[..cut], 0, false);
        write_next(&chain, &header, &entries[seam..], first, true);
        let lost = (seam - cut) as u64;
        let Replayed { difference, same_actions, is_whole, record, .. } = replay(&chain).unwrap();
        assert_eq!(difference, None);
        assert_eq!((same_actions, is_whole), (whole.same_actions - lost, lost == 0));
        assert_eq!(record.trades, whole.record.trades);
        // A file of it alone is the rest of nothing.
        fs::rename(chain.join("run.0001.journal"), chain.join("elsewhere")).unwrap();
        assert!(replay(&chain).is_err());
    }
}

/// A state is made of the whole chain or not at all: a file that somebody cuts, before or between
/// two looks at it, is an error unless nothing follows it.
#[test]
fn a_file_that_is_cut_while_its_chain_is_read_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let header = header(ThreadLayout::Fused);
    let time = |second| Timestamp::from_nanos(second * Timestamp::SECOND);
    let timer = |number: u64| Entry::Event(number, Event::Timer(time(number as i64)));
    let entries: Vec<Entry> = (0..20).map(timer).collect();
    write_next(folder.path(), &header, &entries[..10], 0, false);
    write_next(folder.path(), &header, &entries[10..], 10, false);
    let chain = JournalChain::open(folder.path()).unwrap();
    let read = || {
        let (mut events, mut fault) = (0, None);
        for event in chain.events() {
            match event {
                Ok((number, _)) => events += u64::from(number == events),
                Err(error) => fault = Some(error.to_string()),
            }
        }
        (events, fault)
    };
    assert_eq!(read(), (20, None));
    let cut = |file: &Path, bytes: u64| {
        fs::OpenOptions::new().write(true).open(file).unwrap().set_len(bytes).unwrap();
    };
    let [first, last] = files(folder.path()).try_into().unwrap();
    let start = |path: &Path| (24 + Journal::open(path).unwrap().header().len()) as u64;
    cut(&last, start(&last).next_multiple_of(8) + 5 * 24 - 1);
    assert_eq!(read(), (14, None));
    cut(&first, start(&first).next_multiple_of(8) + 9 * 24);
    let (events, fault) = read();
    assert_eq!(events, 9);
    assert!(fault.unwrap().contains("run.0001.journal: the journal that continues it"));
    // And so for a process that would continue it.
    assert!(replay_journal(folder.path(), &AtomicBool::new(false), &mut |_, _| {}).is_err());
}

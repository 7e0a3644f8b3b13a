//! Sessions that begin in the middle of a market: a file has what is older, the gateway's history
//! closes the seam up to the first live trade.

use algospace_hft::market::{Bar, BarFlags, Timestamp};
use algospace_hft::source::native::{TickFile, TickFileWriter};
use rithmic_sim::script::{Quirks, Script};

use crate::simulator::{
    RULE, Simulator, Until, bars, equal_or_flagged, events, market, ticks, watch, whole, yaml,
};

/// Runs a session whose warm-up ends two hours before its first live trade. Returns its bars, how
/// many are those of the whole market, and the first of the live ones.
fn warmed_up(quirks: Quirks) -> (Vec<Bar>, usize, Timestamp) {
    let folder = tempfile::tempdir().unwrap();
    let path = market(folder.path(), 2, 3_000);
    let file = TickFile::open(&path).unwrap();
    // In the second session: of a seam over a close, minutes in which nobody traded are in doubt.
    let [known, begin, end]: [Timestamp; 3] =
        ["2024-01-03T12:00:00Z", "2024-01-03T14:00:00Z", "2024-01-03T18:02:00Z"]
            .map(|time| time.parse().unwrap());
    let old = folder.path().join("old.ticks");
    let mut description = file.description().clone();
    // The gateway's contract, which continues.
    let contract = &mut description.contracts[0];
    (contract.symbol, contract.expiry) =
        ("ESH4".to_owned(), Some("2024-03-15T13:30:00Z".to_owned()));
    let mut writer = TickFileWriter::create(&old, description).unwrap();
    let count = file.ticks().partition_point(|tick| tick.time < known);
    writer.extend(&file.ticks()[..count]).unwrap();
    writer.finish().unwrap();

    let simulator = Simulator::from(&path, Some(begin), |settings| {
        settings.script = Script { quirks, ..Script::default() };
    });
    let live = folder.path().join("live");
    let settings = yaml("paper", &simulator.url, RULE, &live);
    let warm_up = format!("warm_up: '{}', history_patience_seconds: 60", old.display());
    let settings = settings.replace("history_patience_seconds: 0", &warm_up);
    let config = algospace_hft::config::Config::parse(&settings, "test", &Default::default());
    let config = config.unwrap();
    let watch = watch(&config);
    let mut until = Until::new(end, &watch);
    until.run(&config).unwrap();

    let taken = events(&live);
    assert!(ticks(&taken).windows(2).all(|two| two[0].time <= two[1].time));
    let (equal, flagged) = equal_or_flagged(&until.bars, &taken, &bars(&config, &whole(&file)));
    println!("{equal} whole, {flagged} flagged");
    (until.bars, equal, begin)
}

#[test]
fn history_closes_the_seam_behind_the_file() {
    let (seen, equal, begin) = warmed_up(Quirks::default());
    // Three timeframes of five minutes and more, for six hours at the least.
    assert!(equal > 72 && equal == seen.len(), "{equal} of {}", seen.len());
    assert!(seen.last().unwrap().end >= begin.saturating_add(4 * Timestamp::HOUR));
}

#[test]
fn minutes_of_which_history_lacks_trades_are_flagged() {
    let (seen, equal, begin) = warmed_up(Quirks { tick_replay_loss: 0.02, ..Quirks::default() });
    let (before, behind): (Vec<&Bar>, Vec<&Bar>) = seen.iter().partition(|bar| bar.start < begin);
    assert!(behind.iter().all(|bar| !bar.flags.any(BarFlags::INCOMPLETE)));
    let lacking = before.iter().filter(|bar| bar.flags.any(BarFlags::INCOMPLETE)).count();
    // One trade in fifty is lost: some bars lack none.
    assert!(lacking > 5 && equal + lacking == seen.len(), "{lacking} lack trades, {equal} none");
}

#[test]
fn without_history_the_seam_is_a_gap() {
    let (seen, _, begin) = warmed_up(Quirks { history_empty: true, ..Quirks::default() });
    let lacking = |bar: &&Bar| bar.flags.any(BarFlags::INCOMPLETE);
    let last = seen.iter().rfind(lacking).unwrap();
    assert!(last.start <= begin && begin < last.end, "{last:?}, {begin}");
    assert!(!seen.last().unwrap().flags.any(BarFlags::INCOMPLETE));
}

//! A roll in a session over the simulator: the next contract's volume has overtaken the one in
//! front, so its trades enter from the next open on, and no other's.

use std::path::{Path, PathBuf};

use algospace_hft::market::{BarFlags, Instrument, Tick, Timestamp};
use algospace_hft::source::native::{ContractEntry, TickFile, TickFileDescription, TickFileWriter};
use algospace_hft::source::synthetic::{
    Settings as Made, SyntheticMarket, SyntheticSettings, write_file,
};

use crate::simulator::{RULE, Simulator, Until, bars, config, events, ticks, watch};

/// Writes two days of two contracts. At each instant the second trades ten points higher, and five
/// times as much.
fn two_contracts(folder: &Path) -> PathBuf {
    let [one, two] = ["one.ticks", "two.ticks"].map(|name| folder.join(name));
    let market = SyntheticSettings::new(SyntheticMarket::Regimes, 2, 20_000);
    let first_trade_date = "2013-12-10".parse().unwrap();
    let made = Made { write_regimes: false, first_trade_date, ..Made::new(market, 5) };
    write_file(made, &one, &Default::default(), |_, _| {}).unwrap();
    let es = Instrument::built_in("ES").unwrap();
    let contract = |(symbol, expiry): (&str, &str)| ContractEntry {
        symbol: symbol.to_owned(),
        expiry: Some(expiry.to_owned()),
        price_offset: "0".to_owned(),
    };
    let contracts =
        [("ESZ3", "2013-12-20T14:30:00Z"), ("ESH4", "2014-03-21T13:30:00Z")].map(contract).to_vec();
    let description = TickFileDescription { contracts, ..TickFileDescription::new(&es, "test") };
    let mut writer = TickFileWriter::create(&two, description).unwrap();
    for tick in TickFile::open(&one).unwrap().ticks() {
        let price = tick.price.offset_ticks(40, es.tick_size);
        let next = Tick::new(tick.time, price, tick.size * 5).with_contract(1);
        writer.extend(&[*tick, next]).unwrap();
    }
    writer.finish().unwrap();
    two
}

#[test]
fn the_next_contract_enters_at_the_open_behind_its_greater_volume() {
    let folder = tempfile::tempdir().unwrap();
    let path = two_contracts(folder.path());
    let file = TickFile::open(&path).unwrap();
    let [begin, open, end]: [Timestamp; 3] =
        ["2013-12-10T21:50:00Z", "2013-12-10T23:00:00Z", "2013-12-10T23:30:00Z"]
            .map(|time| time.parse().unwrap());
    // So that the break is longer than what waits for history at a session's end.
    let simulator = Simulator::from(&path, Some(begin), |settings| settings.speed = 1_000.0);
    let live = folder.path().join("live");
    let config = config("paper", &simulator.url, RULE, &live);
    let watch = watch(&config);
    let mut until = Until::new(end, &watch);
    until.run(&config).unwrap();

    let seen = ticks(&events(&live));
    let (before, after): (Vec<Tick>, Vec<Tick>) = seen.iter().partition(|it| it.time < open);
    for (contract, seen) in [(0, &before), (1, &after)] {
        assert!(!seen.is_empty(), "contract {contract}");
        let first = seen[0].time;
        let made = |tick: &&Tick| tick.contract == contract && tick.time >= first;
        let mut made = file.ticks().iter().filter(made);
        for seen in seen {
            let made = made.next().unwrap();
            let of = |tick: &Tick| (tick.contract, tick.time, tick.price, tick.size);
            assert_eq!(of(seen), of(made));
        }
    }
    let new = file.ticks().iter().filter(|tick| tick.contract == 1 && tick.time >= open);
    assert_eq!(after.first().map(|tick| tick.time), new.clone().map(|tick| tick.time).next());
    // Each bar is of one contract.
    let new: Vec<_> = new.copied().map(algospace_hft::engine::Event::Tick).collect();
    let seen: Vec<_> = until.bars.iter().filter(|bar| bar.start >= open).copied().collect();
    assert!(seen.len() >= 6 && bars(&config, &new).starts_with(&seen), "{:?}", seen.first());
    assert!(seen.iter().all(|bar| bar.contract == 1 && !bar.flags.any(BarFlags::INCOMPLETE)));
}

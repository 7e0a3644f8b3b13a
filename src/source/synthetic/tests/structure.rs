//! Valid ticks: in order of time, in a session, on the grid; and the same ones every time.

use proptest::prelude::*;
use std::sync::atomic::AtomicBool;
use xxhash_rust::xxh3::xxh3_64;

use super::*;
use crate::market::Side;
use crate::source::native::TickFile;

fn hash(sessions: &[(Session, Vec<Tick>)]) -> u64 {
    let ticks: Vec<Tick> = sessions.iter().flat_map(|(_, ticks)| ticks.iter().copied()).collect();
    xxh3_64(bytemuck::cast_slice(&ticks))
}

#[test]
fn every_tick_is_in_order_inside_its_session_and_on_the_grid() {
    // 2014 has a halt in each session, summer time begins on 9 March, and 18 April is a holiday.
    let first_trade_date = Date::constant(2014, 3, 3);
    for market in [martingale(true), martingale(false), regimes()] {
        let (_, bounces) = market;
        let tick_size = Price::from_units(250_000_000);
        let settings = Settings { first_trade_date, ..settings(market, 9, 40, 20_000) };
        let sessions = generate(settings);
        assert_eq!(sessions.len(), 40);
        assert_eq!(sessions[0].0.trade_date, first_trade_date);
        assert!(sessions.iter().any(|(session, _)| session.halt.is_some()));
        let mut last_close = Timestamp::MIN;
        for (session, ticks) in &sessions {
            assert!(session.open >= last_close);
            assert_eq!(Calendar::CmeEquityIndex.session_at(session.open).as_ref(), Some(session));
            last_close = session.close;
            assert!(ticks.len() > 500, "{} ticks", ticks.len());
            assert!(ticks.is_sorted_by_key(|tick| tick.time));
            for tick in ticks {
                assert!(session.is_trading_at(tick.time));
                assert!(tick.price.is_on_tick(tick_size) && tick.size >= 1);
                let quotes = (tick.bid(tick_size), tick.ask(tick_size));
                match tick.aggressor() {
                    Some(Side::Buy) => assert_eq!(quotes.1, Some(tick.price)),
                    Some(Side::Sell) => assert_eq!(quotes.0, Some(tick.price)),
                    None => assert_eq!(quotes, (None, None)),
                }
                assert_eq!(tick.aggressor().is_some(), bounces);
                if let (Some(bid), Some(ask)) = quotes {
                    assert!((1..=2).contains(&ask.ticks_from(bid, tick_size)));
                }
            }
        }
    }
}

#[test]
fn one_seed_is_one_market_on_every_machine_and_another_seed_another() {
    // Computed once; they change only with the model, and then the model's description must too.
    let golden = [
        (martingale(true), 0x33b9_9890_a466_7c33),
        (martingale(false), 0x2aae_6591_8521_23ea),
        (regimes(), 0x23a1_ad8e_ac5b_ae15),
    ];
    for (market, expected) in golden {
        let name = format!("{market:?}");
        let first = hash(&generate(settings(market, 42, 3, 10_000)));
        assert_eq!(first, expected, "{name}: {first:#018x}");
        assert_ne!(first, hash(&generate(settings(market, 43, 3, 10_000))), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn a_session_is_the_same_however_many_are_asked_for(seed: u64, days in 1u32..5, with_edge: bool) {
        let market = if with_edge { regimes() } else { martingale(true) };
        let few = generate(settings(market, seed, days, 500));
        let many = generate(settings(market, seed, days + 3, 500));
        prop_assert_eq!(&few[..], &many[..days as usize]);
    }
}

#[test]
fn the_file_holds_the_ticks_the_facts_and_the_regimes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("market.ticks");
    let settings = settings(regimes(), 4, 3, 2_000);
    let mut told = Vec::new();
    let summary = write_file(settings.clone(), &path, &AtomicBool::new(false), |made, all| {
        told.push((made, all))
    })
    .unwrap();
    assert_eq!(told, [(1, 3), (2, 3), (3, 3)]);

    let sessions = generate(settings);
    let ticks: Vec<Tick> = sessions.iter().flat_map(|(_, ticks)| ticks.iter().copied()).collect();
    let file = TickFile::open(&path).unwrap();
    assert_eq!(file.ticks(), &ticks[..]);
    assert_eq!(summary.ticks, ticks.len() as u64);
    assert_eq!((summary.start, summary.end), (sessions[0].0.open, sessions[2].0.close));
    let facts = &file.description().facts;
    let oracle = summary.oracle.unwrap();
    assert_eq!(facts["market"], "regimes");
    assert_eq!(facts["seed"], "4");
    assert_eq!(facts["best_attainable_pnl_dollars_per_contract"], oracle.expected_net.to_string());

    let labels = std::fs::read_to_string(regimes_path(&path)).unwrap();
    assert_eq!(summary.regimes_path, Some(regimes_path(&path)));
    let mut lines = labels.lines();
    assert_eq!(lines.next(), Some("start_utc,regime,drift_ticks_per_hour,hours"));
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), facts["regime_changes"].parse::<usize>().unwrap() + 1);
    let starts: Vec<Timestamp> = rows.iter().map(|row| row[0].parse().unwrap()).collect();
    assert!(
        starts.is_sorted() && starts[0] == summary.start && starts[rows.len() - 1] < summary.end
    );
    let hours: f64 = rows.iter().map(|row| row[3].parse::<f64>().unwrap()).sum();
    assert!((hours - 3.0 * 23.0).abs() < 1e-3, "{hours} hours of regimes");
    for row in &rows {
        let drift: f64 = row[2].parse().unwrap();
        match row[1] {
            "trend_up" => assert!(drift >= 0.0),
            "trend_down" => assert!(drift <= 0.0),
            "volatile" => assert_eq!(drift, 0.0),
            name => assert_eq!(name, "range"),
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);

    let path = folder.path().join("null.ticks");
    let summary = write_file(
        super::settings(martingale(true), 4, 1, 100),
        &path,
        &AtomicBool::new(false),
        |_, _| (),
    )
    .unwrap();
    assert_eq!((summary.oracle, summary.regimes_path), (None, None));
    let file = TickFile::open(&path).unwrap();
    assert_eq!(file.description().facts["best_attainable_pnl_dollars_per_contract"], "0");
}

#[test]
fn refuses_by_name_what_cannot_be() {
    let refusal = |settings: Settings| Generator::new(settings).err().unwrap().to_string();
    let good = settings(regimes(), 1, 1, 1_000);
    let refused = |market| refusal(Settings { market, ..good.clone() });
    let market = good.market;
    assert!(
        refused(SyntheticSettings { days: 0, ..market }).contains("days is 0; give 1 to 25000")
    );
    let none = SyntheticSettings { trades_per_day: 0, ..market };
    assert!(refused(none).contains("trades_per_day is 0"));
    let endless = SyntheticSettings { trend_hours: f64::NAN, ..market };
    assert!(refused(endless).contains("trend_hours is NaN"));
    let still = Settings { range_deviation_ticks: 1.0, ..good.clone() };
    assert!(refusal(still).contains("range_deviation_ticks is 1; give 2 to 1000"));
    let first_trade_date = Date::constant(1, 1, 1);
    assert!(refusal(Settings { first_trade_date, ..good.clone() }).contains("year is 1;"));
    let off_grid = Settings { first_price: "4750.1".parse().unwrap(), ..good };
    assert!(refusal(off_grid).contains("4750.1 is not a whole number of ticks"));
}

#[test]
fn other_instruments_and_calendars_have_markets_too() {
    for symbol in ["NQ", "GC", "6E"] {
        let instrument = Instrument::built_in(symbol).unwrap();
        let tick_size = instrument.tick_size;
        let first_price = Price::ZERO.offset_ticks(20_000, tick_size);
        let sessions =
            generate(Settings { instrument, first_price, ..settings(regimes(), 2, 3, 2_000) });
        for (session, ticks) in sessions {
            assert!(ticks.len() > 500);
            assert!(ticks.iter().all(|tick| tick.price.is_on_tick(tick_size)));
            assert!(ticks.iter().all(|tick| session.is_trading_at(tick.time)));
        }
    }
    let mut instrument = Instrument::built_in("ES").unwrap();
    instrument.calendar = Calendar::AlwaysOpen;
    let sessions = generate(Settings { instrument, ..settings(martingale(true), 2, 2, 5_000) });
    assert_eq!(sessions[0].0.trade_date, Date::constant(2024, 1, 2));
    let hours: std::collections::BTreeSet<i64> = sessions[0]
        .1
        .iter()
        .map(|tick| (tick.time - sessions[0].0.open) / Timestamp::HOUR)
        .collect();
    assert_eq!(hours.len(), 24, "every hour has trades: {hours:?}");
}

//! The features of one session: ticks become 5- and 30-minute bars, each close a row of features.
//!
//! `cargo run --release --example features_of_a_day`

use std::error::Error;

use algospace_hft::bars::BarBuilder;
use algospace_hft::features::{FeatureEngine, IndicatorSettings};
use algospace_hft::market::{Bar, Instrument, Timeframe, Timestamp};
use algospace_hft::source::synthetic::{Generator, Settings, SyntheticMarket, SyntheticSettings};

/// Prints every 30-minute row's close and three of its features; returns the number of rows.
pub fn run() -> Result<usize, Box<dyn Error>> {
    // Ticks of a made-up market; those of a file come from `TickFile::open`.
    let market = SyntheticSettings::new(SyntheticMarket::Martingale, 1, 20_000);
    let settings = Settings::new(market, 7);
    let (mut generator, mut ticks) = (Generator::new(settings)?, Vec::new());
    generator.next_session(&mut ticks);

    let instrument = Instrument::built_in("ES")?;
    let timeframes = [Timeframe::MINUTES_5, Timeframe::MINUTES_30];
    let mut builder = BarBuilder::new(&timeframes, instrument.calendar, Timestamp::HOUR);
    let mut bars: Vec<Bar> = Vec::new();
    for tick in &ticks {
        builder.on_tick(tick, &mut |bar| bars.push(*bar));
    }
    builder.finish(&mut |bar| bars.push(*bar));

    let mut engine = FeatureEngine::new(&IndicatorSettings::default(), &timeframes, &instrument)?;
    let names = ["log_return_30m", "ha_body_30m", "atr_30m"];
    let columns = names.map(|name| engine.layout().column(name).expect("a default feature"));
    let mut rows = 0;
    println!("{:<32}{:>10}  {}", "known at", "close", names.join("  "));
    for bar in bars.iter().filter(|bar| bar.timeframe == Timeframe::MINUTES_30) {
        let Some(row) = engine.update(bar, None)? else { continue };
        // A value is absent until its indicator has seen enough bars.
        let cell =
            |column| row.value(column).map_or("–".to_owned(), |value| format!("{value:.3}"));
        println!("{:<32}{:>10}  {}", bar.end, bar.close, columns.map(cell).join("  "));
        rows += 1;
    }
    Ok(rows)
}

fn main() -> Result<(), Box<dyn Error>> {
    run().map(|_| ())
}

//! The features of one session: ticks become 5- and 30-minute bars, each close a row of features.
//!
//! `cargo run --release --example features_of_a_day`

use std::error::Error;

use algospace_hft::bars::BarBuilder;
use algospace_hft::features::{FeatureEngine, IndicatorSettings};
use algospace_hft::market::{Bar, Instrument, Price, Timeframe, Timestamp};
use algospace_hft::source::synthetic::{Generator, Settings, SyntheticMarket, SyntheticSettings};

/// The features that are shown.
const NAMES: [&str; 3] = ["log_return_30m", "ha_body_30m", "atr_30m"];

/// The features at a close of a 30-minute bar; a value is absent until its indicator has seen
/// enough bars.
#[derive(Debug)]
pub struct Row {
    /// The bar's end.
    pub known_at: Timestamp,
    /// The bar's last price.
    pub close: Price,
    /// The values of [`NAMES`].
    pub values: [Option<f64>; 3],
}

/// Returns a row for each 30-minute bar of a session.
pub fn run() -> Result<Vec<Row>, Box<dyn Error>> {
    // Ticks of a synthetic market; those of a file come from `TickFile::open`.
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
    let columns = NAMES.map(|name| engine.layout().column(name).expect("a default feature"));
    let mut rows = Vec::new();
    for bar in bars.iter().filter(|bar| bar.timeframe == Timeframe::MINUTES_30) {
        let Some(row) = engine.update(bar, None)? else { continue };
        let values = columns.map(|column| row.value(column));
        rows.push(Row { known_at: bar.end, close: bar.close, values });
    }
    Ok(rows)
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("{:<32}{:>10}  {}", "known at", "close", NAMES.join("  "));
    let cell = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.3}"));
    for Row { known_at, close, values } in run()? {
        println!("{:<32}{:>10}  {}", known_at, close, values.map(cell).join("  "));
    }
    Ok(())
}

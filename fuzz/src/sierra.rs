use std::num::NonZeroU32;
use std::path::Path;

use crate::CheckingSink;
use algospace_hft::market::Price;
use algospace_hft::source::import::{SierraOptions, decode_sierra};

/// Decodes a file of Sierra Chart, with and without options.
pub fn sierra(bytes: &[u8]) {
    let hundredths = Price::from_units(Price::SCALE / 100);
    for options in [
        SierraOptions::default(),
        SierraOptions { price_multiplier: hundredths, bar_seconds: NonZeroU32::new(60) },
    ] {
        let mut sink = CheckingSink::new(bytes.len());
        _ = decode_sierra(bytes, Path::new("ESZ23.scid"), &options, &mut sink);
    }
}

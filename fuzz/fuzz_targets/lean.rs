#![no_main]

use std::io::Cursor;
use std::path::Path;

use algospace_hft::source::import::{LeanOptions, decode_lean};
use algospace_hft_fuzz::CheckingSink;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut sink = CheckingSink::new(bytes.len());
    let path = Path::new("daily/es_trade.zip");
    _ = decode_lean(Cursor::new(bytes), path, &LeanOptions::default(), &mut sink);
});

#![no_main]

use std::path::Path;

use algospace_hft::source::import::decode_databento;
use algospace_hft_fuzz::CheckingSink;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    _ = decode_databento(bytes, Path::new("a.dbn"), &mut CheckingSink::new(bytes.len()));
});

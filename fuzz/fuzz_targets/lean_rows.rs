//! Runs libFuzzer on [`algospace_hft_fuzz::lean_rows`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| algospace_hft_fuzz::lean_rows(bytes));

//! Runs libFuzzer on [`algospace_hft_fuzz::config`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| algospace_hft_fuzz::config(bytes));

//! Runs libFuzzer on [`algospace_hft_fuzz::model_set`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| algospace_hft_fuzz::model_set(bytes));

//! Runs libFuzzer on [`algospace_hft_fuzz::rithmic_history`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| algospace_hft_fuzz::rithmic_history(bytes));

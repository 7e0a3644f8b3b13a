use std::sync::atomic::{AtomicU64, Ordering};

use algospace_hft::market::Instrument;
use algospace_hft::source::import::{BINARY_PRESETS, Effect, ImportOptions, PRESETS, run};
use algospace_hft::source::native::TickFile;

/// A whole import of the bytes as a file, in a format that the first byte chooses. The second one
/// says how often they are repeated, so that a line or a row lies over the border of two blocks.
/// Every row is accounted for.
pub fn import_file(bytes: &[u8]) {
    let [format, times, bytes @ ..] = bytes else { return };
    let presets = PRESETS.iter().chain(&BINARY_PRESETS);
    let formats: Vec<&str> = presets.map(|preset| preset.name).collect();
    let format = formats[usize::from(*format) % formats.len()];
    let times = if *times < 16 { 4_000 } else { 1 };

    let folder = tempfile::tempdir().expect("a temporary folder");
    let input = folder.path().join("20240104_trade.zip");
    std::fs::write(&input, bytes.repeat(times)).expect("room for it");
    let output = folder.path().join("a.ticks");
    let instrument = Instrument::built_in("ES").expect("it is");
    let mut options = ImportOptions::new(format, vec![input], output.clone(), instrument);
    options.policies.max_refused = 1.0;
    let advanced = AtomicU64::new(0);
    match run(&options, &mut |now| advanced.store(now.bytes_read, Ordering::Relaxed)) {
        Ok(report) => {
            assert_eq!(advanced.into_inner(), (bytes.len() * times) as u64);
            let (dropped, refused) = (report.total(Effect::Dropped), report.total(Effect::Refused));
            assert_eq!(report.rows, report.imported + dropped + refused);
            let file = TickFile::open(&output).expect("what was imported can be opened");
            assert_eq!(file.ticks().len() as u64, report.ticks);
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(!output.exists());
        }
    }
}

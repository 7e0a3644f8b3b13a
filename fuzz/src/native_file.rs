use std::io::Write;

use algospace_hft::source::native::TickFile;

/// Opens a native tick file.
pub fn native_file(bytes: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("room for it");
    if let Ok(file) = TickFile::open(file.path()) {
        assert!(size_of_val(file.ticks()) < bytes.len());
        assert_eq!(file.sha256().len(), 64);
    }
}

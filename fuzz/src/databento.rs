use std::path::Path;

use crate::CheckingSink;
use algospace_hft::source::import::decode_databento;

/// Decodes a file of Databento.
pub fn databento(bytes: &[u8]) {
    _ = decode_databento(bytes, Path::new("a.dbn"), &mut CheckingSink::new(bytes.len()));
}

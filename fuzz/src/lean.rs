use std::io::Cursor;
use std::path::Path;

use crate::CheckingSink;
use algospace_hft::source::import::{LeanOptions, decode_lean};

/// Decodes an archive of LEAN.
pub fn lean(bytes: &[u8]) {
    let mut sink = CheckingSink::new(bytes.len());
    let path = Path::new("daily/es_trade.zip");
    _ = decode_lean(Cursor::new(bytes), path, &LeanOptions::default(), &mut sink);
}

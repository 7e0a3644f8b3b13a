use std::io::{Cursor, Write};
use std::path::Path;

use crate::CheckingSink;
use algospace_hft::source::import::{LeanOptions, decode_lean};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A good archive around any rows: the checksums of a zip keep `lean` from reaching them.
pub fn lean_rows(bytes: &[u8]) {
    let [kind, rows @ ..] = bytes else { return };
    let member = match kind % 4 {
        0 => "20131007_gc_tick_trade_201312.csv",
        1 => "20131007_es_second_trade_201312.csv",
        2 => "20131007_es_minute_trade_201312.csv",
        _ => "es_trade_201312.csv",
    };
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    writer.start_file(member, stored).expect("a good name");
    writer.write_all(rows).expect("room in memory");
    let archive = writer.finish().expect("room in memory");
    let mut sink = CheckingSink::new(archive.get_ref().len());
    let path = Path::new("daily/es_trade.zip");
    let result = decode_lean(archive, path, &LeanOptions::default(), &mut sink);
    let long_line = rows.split(|&byte| byte == b'\n').any(|row| row.len() >= 1024);
    assert!(result.is_ok() || long_line, "{result:?}");
}

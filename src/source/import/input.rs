//! The files of an import: which they are, and how text ones are read.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use jiff::tz::TimeZone;

use super::bar_length;
use super::importer::{ImportError, Stop};
use super::placement::DAY;
use super::row::RowSink;
use super::text::{TextFormat, TextReader, TextSummary, line_end};

/// Bytes of text in memory; a line that does not fit is refused.
const BLOCK: usize = 1 << 18;

/// The files that the paths stand for: a file for itself, a folder for the files in it that have
/// one of the endings, by name.
pub(super) fn list(paths: &[PathBuf], endings: &[&str]) -> Result<Vec<PathBuf>, ImportError> {
    let mut files = Vec::new();
    for path in paths {
        let io = |source| ImportError::Input { path: path.clone(), source };
        if !std::fs::metadata(path).map_err(io)?.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(path).map_err(io)? {
            let file = entry.map_err(io)?.path();
            let name = file.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase());
            let name = name.unwrap_or_default();
            let wanted = endings.iter().any(|ending| name.ends_with(ending));
            if wanted && !name.starts_with('.') && !name.ends_with(".rejects.csv") && file.is_file()
            {
                inside.push(file);
            }
        }
        if inside.is_empty() {
            let endings = endings.join(", ");
            return Err(ImportError::EmptyFolder { path: path.clone(), endings });
        }
        inside.sort();
        files.append(&mut inside);
    }
    Ok(files)
}

/// Reads a text file, plain or `.gz`. The bar length is found in the file if it is not known yet,
/// and then holds for the files after it.
pub(super) fn read_text_file<S: RowSink<Error = Stop>>(
    path: &Path,
    format: &mut TextFormat,
    sink: &mut S,
) -> Result<TextSummary, Stop> {
    let failed = |source| Stop::from(ImportError::Input { path: path.to_owned(), source });
    let file = File::open(path).map_err(failed)?;
    // Shares its place with `file`, to tell how much of a packed file has been read.
    let mut place = file.try_clone().map_err(failed)?;
    let mut text: Box<dyn Read> = if is_gzip(path) {
        Box::new(MultiGzDecoder::new(io::BufReader::with_capacity(BLOCK, file)))
    } else {
        Box::new(file)
    };
    let mut block = vec![0; BLOCK];
    let (mut filled, mut done) = (0, 0);
    filled += fill(&mut text, &mut block).map_err(failed)?;
    if format.bar_length.is_none() {
        format.bar_length = bar_length::infer(&block[..filled], format);
    }
    let mut format = Cow::Borrowed(&*format);
    if format.bar_length == Some(DAY) && bar_length::are_dates(&block[..filled], &format) {
        format.to_mut().zone = TimeZone::UTC;
    }
    let mut reader = TextReader::new(&format);
    let line_end = line_end(&block[..filled]);
    let mut in_long_line = false;
    while filled > 0 {
        let at_end = filled < block.len();
        let lines = &block[..filled];
        let newline = |&byte: &u8| byte == line_end;
        let read = if in_long_line {
            // What stands behind a cut is no row.
            let end = lines.iter().position(newline);
            in_long_line = end.is_none();
            end.map_or(filled, |end| end + 1)
        } else {
            match lines.iter().rposition(newline) {
                _ if at_end => {
                    reader.read(lines, sink)?;
                    filled
                }
                Some(last) => {
                    reader.read(&lines[..=last], sink)?;
                    last + 1
                }
                None => {
                    in_long_line = true;
                    reader.refuse_long_line(lines, sink)?;
                    filled
                }
            }
        };
        let now = place.stream_position().map_err(failed)?;
        sink.advance(now - done)?;
        done = now;
        block.copy_within(read..filled, 0);
        filled -= read;
        if !at_end {
            filled += fill(&mut text, &mut block[filled..]).map_err(failed)?;
        }
    }
    Ok(reader.summary())
}

/// Reads until the block is full or the file ends.
fn fill(text: &mut dyn Read, block: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < block.len() {
        match text.read(&mut block[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

pub(super) fn is_gzip(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gz"))
}

//! The files of an import: their list, and the reading of text.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use jiff::tz::TimeZone;
use zip::ZipArchive;

use super::bar_length;
use super::databento::ZSTANDARD_MAGIC;
use super::importer::{ImportError, Stop};
use super::lean::ZIP_MAGIC;
use super::parquet_text::{self, PARQUET_MAGIC, ParquetText};
use super::placement::DAY;
use super::row::RowSink;
use super::text::{TextFormat, TextReader, TextSummary, TimePattern, line_end};

/// Bytes of text in memory; a line that does not fit is refused.
const BLOCK: usize = 1 << 18;

/// Returns the files that the paths stand for: a file for itself, a folder for the files in it that
/// have one of the endings, by name.
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

/// A text file, packed or not, by its first bytes.
pub(super) enum InputText {
    /// One stream of text.
    Stream(Box<dyn Read>),
    /// An archive and the names of the text files in it.
    Archive(ZipArchive<File>, Vec<String>),
    /// A Parquet file.
    Table(ParquetText),
}

/// Opens a text file of any name: plain, packed by gzip, Zstandard or zip, or Parquet.
pub(super) fn open_text(mut file: File) -> io::Result<InputText> {
    let mut magic = [0; 4];
    let count = fill(&mut file, &mut magic)?;
    file.rewind()?;
    let buffered = |file| io::BufReader::with_capacity(BLOCK, file);
    Ok(match magic {
        [0x1F, 0x8B, ..] => InputText::Stream(Box::new(MultiGzDecoder::new(buffered(file)))),
        ZSTANDARD_MAGIC => InputText::Stream(Box::new(zstd::Decoder::with_buffer(buffered(file))?)),
        PARQUET_MAGIC if count == 4 => InputText::Table(ParquetText::new(file)?),
        ZIP_MAGIC if count == 4 => {
            let archive = ZipArchive::new(file)?;
            let is_text = |name: &String| {
                let name = name.to_ascii_lowercase();
                [".csv", ".txt"].iter().any(|ending| name.ends_with(ending))
                    && !name.split('/').any(|part| part.starts_with('.') || part == "__macosx")
            };
            let names = archive.file_names().filter_map(Result::ok).map(Cow::into_owned);
            let mut names: Vec<String> = names.filter(is_text).collect();
            names.sort();
            if names.is_empty() {
                return Err(io::Error::other(
                    "no .csv or .txt file in this archive; save a spreadsheet as CSV",
                ));
            }
            InputText::Archive(archive, names)
        }
        _ => InputText::Stream(Box::new(file)),
    })
}

/// Returns the names of the text files in an archive; none if it is no archive.
pub(super) fn members(path: &Path) -> Vec<String> {
    match File::open(path).and_then(open_text) {
        Ok(InputText::Archive(_, names)) => names,
        // What is wrong with it is told when it is read.
        Ok(InputText::Stream(_) | InputText::Table(_)) | Err(_) => Vec::new(),
    }
}

/// Reads a text file, plain or packed, or a Parquet file. The bar length is found in the file if it
/// is not known yet, and then holds for the files after it.
pub(super) fn read_text_file<S: RowSink<Error = Stop>>(
    path: &Path,
    format: &mut TextFormat,
    sink: &mut S,
) -> Result<TextSummary, Stop> {
    let failed = |source| Stop::from(ImportError::Input { path: path.to_owned(), source });
    let file = File::open(path).map_err(failed)?;
    // Shares its place with `file`, to tell how much of a packed file has been read.
    let mut place = file.try_clone().map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    match open_text(file).map_err(failed)? {
        InputText::Stream(mut text) => {
            let mut done = 0;
            read_stream(&mut *text, failed, format, sink, &mut |sink| {
                let now = place.stream_position().map_err(failed)?;
                sink.advance(now - done)?;
                done = now;
                Ok(())
            })
        }
        InputText::Archive(mut archive, names) => {
            let mut summary = TextSummary::default();
            for name in names {
                sink.begin(&format!("{}/{name}", path.display()))?;
                let mut member =
                    archive.by_name(&name).map_err(|error| failed(io::Error::other(error)))?;
                let mut done = 0;
                let packed = member.compressed_size();
                summary += read_stream(&mut member, failed, format, sink, &mut |sink| {
                    // How far the archive's own reader is cannot be told.
                    sink.advance(packed - done)?;
                    done = packed;
                    Ok(())
                })?;
            }
            Ok(summary)
        }
        InputText::Table(mut table) => {
            let (rows, read) = table.progress();
            let mut typed =
                TextFormat { delimiter: Some(parquet_text::DELIMITER), ..format.clone() };
            if table.has_instants() {
                typed.time = TimePattern::Iso;
            }
            let mut done = 0;
            let summary = read_stream(&mut table, failed, &mut typed, sink, &mut |sink| {
                let part = read.get() as f64 / rows.max(1) as f64;
                let now = ((bytes as f64 * part) as u64).clamp(done, bytes);
                sink.advance(now - done)?;
                done = now;
                Ok(())
            })?;
            format.bar_length = typed.bar_length;
            Ok(summary)
        }
    }
}

fn read_stream<S: RowSink<Error = Stop>>(
    text: &mut dyn Read,
    failed: impl Fn(io::Error) -> Stop,
    format: &mut TextFormat,
    sink: &mut S,
    advance: &mut dyn FnMut(&mut S) -> Result<(), Stop>,
) -> Result<TextSummary, Stop> {
    let mut block = vec![0; BLOCK];
    let mut filled = fill(text, &mut block).map_err(&failed)?;
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
        advance(sink)?;
        block.copy_within(read..filled, 0);
        filled -= read;
        if !at_end {
            filled += fill(text, &mut block[filled..]).map_err(&failed)?;
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

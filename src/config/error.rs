//! Errors of a configuration: fault, place and remedy.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(
        "{path}: cannot read the configuration: {source}; give `--config` a YAML file in UTF-8, such as a copy of config/backtest.yaml"
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The text is not a configuration.
    #[error("{}", list(problems))]
    Invalid {
        /// Faults: at least one, in the order of the file.
        problems: Vec<Problem>,
    },
}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file's name, as given.
    pub file: String,
    /// Line and column, from 1.
    pub line: u64,
    /// In characters, from 1.
    pub column: u64,
    /// Key, fault and remedy.
    pub message: String,
    /// The line itself.
    pub snippet: String,
}

impl fmt::Display for Problem {
    /// `FILE:LINE:COLUMN: message`, then the line with a caret under the column.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { file, line, column, message, snippet } = self;
        write!(f, "{file}:{line}:{column}: {message}")?;
        if snippet.trim().is_empty() {
            return Ok(());
        }
        // A long line is cut to the part around the column.
        let column = (*column).saturating_sub(1) as usize;
        let start = column.saturating_sub(60);
        let shown: String = snippet
            .chars()
            .skip(start)
            .take(120)
            .map(|letter| if letter.is_control() { ' ' } else { letter })
            .collect();
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        let indent = " ".repeat(column - start);
        write!(f, "\n {margin} |\n {number} | {}\n {margin} | {indent}^", shown.trim_end())
    }
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

//! Counts a row's instructions: this program runs itself under callgrind, with the row's name.

use std::path::Path;
use std::process::Command;

use crate::measured::COUNTED_FUNCTION;

/// The argument with which this program is the child: it runs the row that follows, and nothing
/// else.
pub const CHILD: &str = "--child";

/// Returns whether valgrind is installed.
pub fn is_there() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Instructions of a row in [`measured`](crate::measured::measured); callgrind writes its file
/// `counts`.
///
/// # Errors
/// In words, if they cannot be counted.
pub fn instructions(row: &str, counts: &Path) -> Result<u64, String> {
    let program = std::env::current_exe().map_err(|error| format!("where am I? {error}"))?;
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--toggle-collect=*{COUNTED_FUNCTION}*"))
        .arg(format!("--callgrind-out-file={}", counts.display()))
        .arg(program)
        .args([CHILD, row])
        // What stands in the environment must not move a count.
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("under valgrind: {}\n{said}", output.status));
    }
    let counts = std::fs::read_to_string(counts).map_err(|error| format!("counts: {error}"))?;
    let total = counts.lines().find_map(|line| line.strip_prefix("totals: "));
    match total.and_then(|total| total.trim().parse().ok()) {
        Some(0) => Err(format!("callgrind did not see `{COUNTED_FUNCTION}`")),
        Some(total) => Ok(total),
        None => Err("callgrind's file has no totals".to_owned()),
    }
}

//! The path of the real market data, if it is here.

use std::path::{Path, PathBuf};

/// A file or folder of the shared market data; `None`, with a word on the terminal, where it is
/// absent.
pub fn shared_data(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(path);
    if !path.exists() {
        eprintln!("skipped: the shared market data is not here ({})", path.display());
        return None;
    }
    Some(path)
}

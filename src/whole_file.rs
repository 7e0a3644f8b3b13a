//! Files that appear under their name only when they are whole: written beside it, then renamed.

use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

/// An unfinished file in the folder of `path`, removed unless it is put in place. As readable as any
/// other file.
///
/// # Errors
/// If the folder cannot be written to.
pub(crate) fn begin(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder
        && !folder.is_dir()
    {
        let message = format!("there is no folder {}; create it first", folder.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, message));
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".unfinished-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o644));
    }
    builder.tempfile_in(folder.unwrap_or(Path::new(".")))
}

/// Gives a finished file its name; what stood there before is replaced.
///
/// # Errors
/// If the disk is full or the name cannot be given.
pub(crate) fn put_in_place(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

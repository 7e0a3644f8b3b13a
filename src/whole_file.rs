//! Files that appear under their name only when they are whole: written beside it, then renamed.
//!
//! Every file that the program leaves goes through [`begin`] and [`put_in_place`], which look at
//! what stands under the name: only a file that the program itself may have written is replaced. A
//! link is followed, a character device such as `/dev/null` is written through, and everything else
//! is refused and stays.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

/// The beginning of the name of a file that is being written. No name that a person would choose:
/// it is swept away.
const UNFINISHED: &str = ".algospace-unfinished-";

/// The beginning of the name of a [`WorkingFolder`].
const WORKING: &str = ".algospace-history-";

/// The files that a preparation makes in its [`WorkingFolder`].
const PREPARED: [&str; 3] = ["history.ticks", "synthetic.ticks", "rejects.csv"];

/// A kind of file that the program writes.
pub(crate) struct FileKind<'a> {
    /// In words, such as "a tick file".
    pub what: &'a str,
    /// Returns whether an existing file is of this kind, so that it may be replaced.
    pub is_ours: &'a dyn Fn(&mut File) -> bool,
}

impl FileKind<'_> {
    /// A file in a folder that is known to be the program's own, with any content.
    pub(crate) const IN_OUR_FOLDER: FileKind<'static> =
        FileKind { what: "a regular file", is_ours: &|_| true };
}

/// Returns whether a file begins with these bytes.
pub(crate) fn begins_with(file: &mut File, beginning: &[u8]) -> bool {
    let mut found = Vec::with_capacity(beginning.len());
    file.take(beginning.len() as u64).read_to_end(&mut found).is_ok() && found == beginning
}

/// The file that a path names, however it is spelled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Identity {
    /// A file that exists, by device and inode: links of any kind are the file itself.
    Existing(u64, u64),
    /// A name that is free, in the folder of this device and inode.
    Free(u64, u64, OsString),
}

impl Identity {
    /// Returns the identity of what `path` names; `None` if even the folder does not exist.
    pub(crate) fn of(path: &Path) -> Option<Identity> {
        if let Ok(found) = fs::metadata(path) {
            return Some(Identity::Existing(found.dev(), found.ino()));
        }
        let folder = fs::metadata(folder_of(path)).ok()?;
        Some(Identity::Free(folder.dev(), folder.ino(), path.file_name()?.to_owned()))
    }

    /// Returns whether two paths name one file, there or not.
    pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
        let one = Identity::of(one);
        one.is_some() && one == Identity::of(other)
    }
}

/// The destination of a file.
enum Destination {
    /// To a name in a folder, whose file it replaces if there is one.
    Name(PathBuf),
    /// Into a device.
    Device,
}

/// Makes sure, before the work, that a file of this kind can be put at `path`.
///
/// # Errors
/// If something else stands there: a folder, a pipe, a file that the program did not write.
pub(crate) fn check(path: &Path, kind: &FileKind) -> io::Result<()> {
    target(path, kind).map(drop)
}

/// Returns whether a file of this kind stands at `path`.
pub(crate) fn is_there(path: &Path, kind: &FileKind) -> bool {
    let is_file = |found: Metadata| found.is_file();
    fs::metadata(path).is_ok_and(is_file)
        && File::open(path).is_ok_and(|mut file| (kind.is_ours)(&mut file))
}

fn target(path: &Path, kind: &FileKind) -> io::Result<Destination> {
    let refuse = |what: String| Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match fs::symlink_metadata(path) {
                Ok(_) => refuse("is a link to a file that does not exist; remove the link, or choose another name".to_owned()),
                Err(_) => Ok(Destination::Name(path.to_owned())),
            };
        }
        Err(error) => return Err(error),
    };
    let (is, of_type) = (
        |what: &str| refuse(format!("is {what}, and stays as it is; choose another name")),
        found.file_type(),
    );
    match of_type {
        it if it.is_file() => {}
        it if it.is_char_device() => return Ok(Destination::Device),
        it if it.is_dir() => return is("a folder"),
        it if it.is_fifo() => return is("a pipe"),
        it if it.is_socket() => return is("a socket"),
        _ => return is("a device"),
    }
    if found.len() > 0 && !(kind.is_ours)(&mut File::open(path)?) {
        return refuse(format!(
            "there is a file that is not {} of this program, and it stays as it is; remove it, or choose another name",
            kind.what
        ));
    }
    Ok(Destination::Name(path.canonicalize()?))
}

/// Returns the folder that a file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Begins an unfinished file in the folder of `path`, removed unless it is put in place. As
/// readable as any other file.
///
/// # Errors
/// If something else than a file of this kind stands at `path`, or the folder cannot be written to.
pub(crate) fn begin(path: &Path, kind: &FileKind) -> io::Result<NamedTempFile> {
    let folder = match target(path, kind)? {
        Destination::Name(path) => folder_of(&path).to_owned(),
        Destination::Device => std::env::temp_dir(),
    };
    if !folder.is_dir() {
        let message = format!("there is no folder {}; create it first", folder.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, message));
    }
    sweep(&folder);
    loop {
        let mut builder = tempfile::Builder::new();
        builder.prefix(UNFINISHED).permissions(fs::Permissions::from_mode(0o644));
        let file = builder.tempfile_in(&folder)?;
        if holds(file.as_file(), file.path()) {
            return Ok(file);
        }
    }
}

/// Gives a finished file its name; a file of this kind that stood there before is replaced.
///
/// # Errors
/// If something else stands there by now, the disk is full, or the name cannot be given.
pub(crate) fn put_in_place(file: NamedTempFile, path: &Path, kind: &FileKind) -> io::Result<()> {
    match target(path, kind)? {
        Destination::Name(path) => {
            file.as_file().sync_all()?;
            file.persist(path).map(drop).map_err(|error| error.error)
        }
        Destination::Device => {
            let mut device = File::options().write(true).open(path)?;
            io::copy(&mut file.reopen()?, &mut device).map(drop)
        }
    }
}

/// Waits until the names in a folder are on the disk, so that what is done after it survives no
/// loss of power that these names do not.
///
/// # Errors
/// If the folder cannot be read, or the disk fails.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// A folder for what is needed only while it is prepared. Removed when dropped.
#[derive(Debug)]
pub(crate) struct WorkingFolder {
    folder: TempDir,
    _lock: File,
}

impl WorkingFolder {
    /// Makes one inside `parent`.
    ///
    /// # Errors
    /// If `parent` cannot be written to.
    pub(crate) fn inside(parent: &Path) -> io::Result<WorkingFolder> {
        sweep(parent);
        loop {
            let folder = tempfile::Builder::new().prefix(WORKING).tempdir_in(parent)?;
            let lock = File::open(folder.path())?;
            if holds(&lock, folder.path()) {
                return Ok(WorkingFolder { folder, _lock: lock });
            }
        }
    }

    /// Returns the path of a file inside it, one of [`PREPARED`].
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        debug_assert!(PREPARED.contains(&name), "{name} would keep the folder from being swept");
        self.folder.path().join(name)
    }
}

/// Locks an unfinished file or folder, which says that somebody works on it. False if it was swept
/// away before.
fn holds(file: &File, path: &Path) -> bool {
    // Where a file system knows no locks, nobody sweeps either.
    let _ = file.lock();
    path.exists()
}

/// Removes what programs that were killed left unfinished in `folder`: it has our names, and nobody
/// holds it. Gives what went.
pub(crate) fn sweep(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    paths.filter(|path| is_unfinished(path) && remove_abandoned(path).is_ok()).collect()
}

/// Returns whether something is what this module leaves unfinished: by its name and type, and a
/// folder by all that is in it.
pub(crate) fn is_unfinished(path: &Path) -> bool {
    if is_unfinished_file(path) {
        return true;
    }
    let is_folder = fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    // One with anything in it that no preparation makes is somebody else's, whole.
    let is_ours = |entry: io::Result<fs::DirEntry>| {
        let Ok(entry) = entry else { return false };
        let is_prepared = PREPARED.iter().any(|name| entry.file_name() == *name);
        is_prepared && entry.file_type().is_ok_and(|found| found.is_file())
            || is_unfinished_file(&entry.path())
    };
    is_folder
        && is_named(path, WORKING)
        && fs::read_dir(path).is_ok_and(|mut entries| entries.all(is_ours))
}

fn is_unfinished_file(path: &Path) -> bool {
    is_named(path, UNFINISHED) && fs::symlink_metadata(path).is_ok_and(|found| found.is_file())
}

fn is_named(path: &Path, beginning: &str) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let random = name.strip_prefix(beginning);
    random.is_some_and(|it| it.len() == 6 && it.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Removes what [`is_unfinished`], unless somebody holds it.
fn remove_abandoned(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    file.try_lock()?;
    if file.metadata()?.is_file() {
        return fs::remove_file(path);
    }
    // While it was held, more may have come into it.
    if !is_unfinished(path) {
        return Err(io::ErrorKind::DirectoryNotEmpty.into());
    }
    for entry in fs::read_dir(path)? {
        fs::remove_file(entry?.path())?;
    }
    fs::remove_dir(path)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::symlink;

    use super::*;

    const OURS: FileKind =
        FileKind { what: "a list", is_ours: &|file| begins_with(file, b"list\n") };

    fn write(path: &Path, text: &str) -> io::Result<()> {
        let mut file = begin(path, &OURS)?;
        file.write_all(text.as_bytes())?;
        put_in_place(file, path, &OURS)
    }

    #[test]
    fn only_a_file_of_the_same_kind_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        write(&at("new"), "list\n1\n").unwrap();
        write(&at("new"), "list\n2\n").unwrap();
        assert_eq!(fs::read_to_string(at("new")).unwrap(), "list\n2\n");
        fs::write(at("empty"), "").unwrap();
        write(&at("empty"), "list\n").unwrap();

        for (name, text) in [("other", "notes"), ("longer", "list of mine"), ("shorter", "li")] {
            fs::write(at(name), text).unwrap();
            let refusal = write(&at(name), "list\n").unwrap_err().to_string();
            assert!(refusal.contains("not a list of this program"), "{refusal}");
            assert_eq!(fs::read_to_string(at(name)).unwrap(), text);
        }
        fs::create_dir(at("folder")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            at("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        for (name, what) in [("folder", "a folder"), ("pipe", "a pipe"), ("socket", "a socket")] {
            let refusal = write(&at(name), "list\n").unwrap_err().to_string();
            assert!(refusal.contains(what), "{refusal}");
            assert!(!at(name).is_file());
        }
        // Nothing unfinished is left of any try.
        let left = fs::read_dir(folder.path()).unwrap();
        assert!(!left.flatten().any(|entry| is_unfinished(&entry.path())));
    }

    #[test]
    fn a_link_stays_a_link_and_a_device_a_device() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("inside")).unwrap();
        write(&at("inside/file"), "list\n1\n").unwrap();
        symlink("inside/file", at("link")).unwrap();
        write(&at("link"), "list\n2\n").unwrap();
        assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(at("inside/file")).unwrap(), "list\n2\n");
        symlink("nowhere", at("broken")).unwrap();
        assert!(write(&at("broken"), "list\n").is_err());

        symlink("/dev/null", at("null")).unwrap();
        write(&at("null"), "list\n").unwrap();
        assert!(fs::metadata(at("null")).unwrap().file_type().is_char_device());
        assert!(write(Path::new("/dev/full"), "list\n").is_err());
    }

    #[test]
    fn one_file_has_one_identity_however_it_is_spelled() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("a")).unwrap();
        symlink("a", at("b")).unwrap();
        let same = |one: &str, other: &str| Identity::is_same(&at(one), &at(other));
        // Neither is there yet.
        assert!(same("a/file", "b/../a/./file") && same("a/file", "b/file"));
        assert!(!same("a/file", "a/other") && !same("file", "a/file"));
        assert!(!same("none/file", "none/file"), "without a folder there is no file");
        fs::write(at("a/file"), "x").unwrap();
        fs::hard_link(at("a/file"), at("hard")).unwrap();
        symlink("a/file", at("soft")).unwrap();
        assert!(same("hard", "b/file") && same("soft", "a/file"));
        fs::write(at("copy"), "x").unwrap();
        assert!(!same("copy", "a/file"));
    }

    #[test]
    fn only_what_nobody_works_on_is_swept_away() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let held = begin(&at("file"), &OURS).unwrap();
        let working = WorkingFolder::inside(folder.path()).unwrap();
        fs::write(working.join("history.ticks"), "x").unwrap();
        for name in ["abc123", "foreign", "def456"] {
            let prepared = at(&format!("{WORKING}{name}"));
            fs::create_dir(&prepared).unwrap();
            for file in [PREPARED[0], PREPARED[2]] {
                fs::write(prepared.join(file), "x").unwrap();
            }
            fs::write(at(&format!("{UNFINISHED}{name}")), "x").unwrap();
        }
        let unfinished = at(&format!("{WORKING}abc123/{UNFINISHED}abc123"));
        fs::write(unfinished, "x").unwrap();
        fs::write(at(&format!("{WORKING}def456/notes.txt")), "x").unwrap();
        // What people call their own.
        for name in [".history-backup", ".unfinished-papers"] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("history.ticks"), "x").unwrap();
        }
        fs::write(at(".history-backup/es_2019.csv"), "x").unwrap();
        fs::write(at(".unfinished-letter"), "x").unwrap();
        // What is only named like ours: a table and a link among what is prepared, a folder, a
        // link.
        let backup = at(&format!("{WORKING}backup"));
        fs::create_dir(&backup).unwrap();
        fs::write(backup.join("history.ticks"), "x").unwrap();
        fs::write(backup.join("es_2019.csv"), "x").unwrap();
        let linked = at(&format!("{WORKING}linked"));
        fs::create_dir(&linked).unwrap();
        symlink("../file", linked.join("history.ticks")).unwrap();
        fs::create_dir(at(&format!("{UNFINISHED}folder"))).unwrap();
        symlink("file", at(&format!("{UNFINISHED}linked"))).unwrap();

        let count = |folder: &Path| fs::read_dir(folder).unwrap().count();
        let before = count(folder.path());
        let mut gone = sweep(folder.path());
        gone.sort();
        let ours = [(WORKING, "abc123"), (UNFINISHED, "abc123"), (UNFINISHED, "def456")];
        assert_eq!(gone, ours.map(|(beginning, name)| at(&format!("{beginning}{name}"))));
        assert!(gone.iter().all(|path| !path.exists()));
        assert_eq!(count(folder.path()), before - gone.len());
        assert!(held.path().exists() && working.join("history.ticks").exists());
        let whole = [(".history-backup", 2), (".unfinished-papers", 1)];
        assert!(whole.into_iter().all(|(name, files)| count(&at(name)) == files));
        let whole = [("foreign", 2), ("def456", 3), ("backup", 2), ("linked", 1)];
        assert!(
            whole.into_iter().all(|(name, files)| count(&at(&format!("{WORKING}{name}"))) == files)
        );
    }
}

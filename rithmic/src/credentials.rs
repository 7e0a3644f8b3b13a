//! The login's data, and their secret.

use std::fmt;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use zeroize::{Zeroize, Zeroizing};

use crate::link::Plant;
use crate::wire::{encode_in_place, rti};

/// The version of the message definitions that `rithmic-rs`'s types are of.
const TEMPLATE_VERSION: &str = "5.42";
/// The longest password file, in bytes.
const LONGEST_FILE: usize = 4096;

/// A login. `Debug` shows neither the user nor the password.
#[derive(Clone)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// The password: overwritten in memory when it is dropped.
    pub password: Zeroizing<String>,
    /// The system, `Rithmic Paper Trading`.
    pub system: String,
    /// The name of the program, with the prefix that Rithmic gave it.
    pub application: String,
    /// Its version.
    pub version: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("system", &self.system).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Returns the frame of the login (template 10) of a plant. Both the message and the frame are
    /// overwritten in memory when they are dropped. The copies of a socket below are masked or
    /// encrypted, and are not overwritten.
    pub fn login(&self, plant: Plant, request: u32) -> Zeroizing<Vec<u8>> {
        let mut login = rti::RequestLogin::default();
        login.template_version = Some(TEMPLATE_VERSION.to_owned());
        login.user = Some(self.user.clone());
        login.password = Some(self.password.as_str().to_owned());
        login.app_name = Some(self.application.clone());
        login.app_version = Some(self.version.clone());
        login.system_name = Some(self.system.clone());
        login.infra_type = Some(plant as i32);
        login.user_msg = vec![request.to_string()];
        let mut frame = Zeroizing::new(Vec::new());
        encode_in_place(&mut login, &mut frame);
        login.password.zeroize();
        frame
    }
}

/// The reason that there is no password.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The file cannot be read.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        error: io::Error,
    },
    /// Others than the owner may read or write it.
    #[error("{}: others may read it (mode {mode:04o}): chmod 600", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file is longer than a password file may be.
    #[error("{}: longer than {LONGEST_FILE} bytes: leave the password alone in it", .0.display())]
    TooLong(PathBuf),
    /// There is nothing, or more than a password, or no text.
    #[error("{}: not a password: one line of text is expected", .0.display())]
    Invalid(PathBuf),
}

/// Reads the password from a file that its owner alone may read: mode 0600 or stricter.
///
/// # Errors
/// If it cannot be read, others may read it, it is longer than 4096 bytes, or it is not one line of
/// text.
pub fn password_from_file(path: &Path) -> Result<Zeroizing<String>, PasswordError> {
    let unreadable = |error| PasswordError::Unreadable { path: path.to_owned(), error };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    // Of the file that is open, so that another of that name makes no difference.
    let mode = file.metadata().map_err(unreadable)?.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(PasswordError::Open { path: path.to_owned(), mode });
    }
    // Room for all of it, so that no copy is left behind by growing.
    let mut text = Zeroizing::new(Vec::with_capacity(LONGEST_FILE + 1));
    file.take(LONGEST_FILE as u64 + 1).read_to_end(&mut text).map_err(unreadable)?;
    if text.len() > LONGEST_FILE {
        return Err(PasswordError::TooLong(path.to_owned()));
    }
    one_line(&text, path)
}

fn one_line(text: &[u8], path: &Path) -> Result<Zeroizing<String>, PasswordError> {
    let invalid = || PasswordError::Invalid(path.to_owned());
    let text = std::str::from_utf8(text).map_err(|_| invalid())?;
    let line = text.trim_end_matches(['\r', '\n']);
    if line.is_empty() || line.contains(['\r', '\n', '\0']) {
        return Err(invalid());
    }
    Ok(Zeroizing::new(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::cell::Cell;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use prost::Message as _;

    const SECRET: &str = "hunter2";

    /// The system's allocator, which counts blocks that come back with the secret in them.
    struct Searching;

    thread_local! {
        /// The blocks of this thread so far, while it searches.
        static LEFT_BEHIND: Cell<Option<u32>> = const { Cell::new(None) };
    }

    #[global_allocator]
    static ALLOCATOR: Searching = Searching;

    // SAFETY: every call goes to the system's allocator, and searching neither allocates nor
    // unwinds. To grow a block is an allocation and a deallocation, as the trait has it.
    unsafe impl GlobalAlloc for Searching {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: the caller keeps the rules, which are the same here. Zeros, so that no byte
            // that is searched was never written.
            unsafe { System.alloc_zeroed(layout) }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            if let Some(found) = LEFT_BEHIND.get() {
                // SAFETY: the block is of that size, nobody uses it any more, and it began as
                // zeros.
                let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
                let has_it = bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
                LEFT_BEHIND.set(Some(found + u32::from(has_it)));
            }
            // SAFETY: as above; the block came from `System` through `alloc`.
            unsafe { System.dealloc(block, layout) }
        }
    }

    /// Returns the number of blocks that came back with the secret in them.
    fn left_behind(work: impl FnOnce()) -> u32 {
        LEFT_BEHIND.set(Some(0));
        work();
        LEFT_BEHIND.take().unwrap_or_default()
    }

    #[test]
    fn no_copy_of_the_password_is_left_in_memory() {
        assert_eq!(left_behind(|| drop(SECRET.to_owned())), 1);
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), "hunter2\n", 0o600);
        let credentials = credentials();
        let work = || {
            drop(password_from_file(&path).unwrap());
            drop(credentials.login(Plant::Ticker, 1));
            drop(credentials);
        };
        assert_eq!(left_behind(work), 0);
    }

    fn credentials() -> Credentials {
        Credentials {
            user: "somebody".into(),
            password: Zeroizing::new(SECRET.into()),
            system: "Rithmic Test".into(),
            application: "abcd:algospace".into(),
            version: "1".into(),
        }
    }

    fn file(folder: &Path, text: &str, mode: u32) -> PathBuf {
        let path = folder.join("password");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn a_password_file_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), "se cret \n", 0o600);
        assert_eq!(password_from_file(&path).unwrap().as_str(), "se cret ");
        for mode in [0o640, 0o604, 0o620, 0o644, 0o660] {
            let path = file(folder.path(), "hunter2\n", mode);
            let error = password_from_file(&path).unwrap_err();
            assert!(matches!(error, PasswordError::Open { .. }), "{mode:o}: {error}");
            assert!(
                error.to_string().contains("chmod 600") && !format!("{error:?}").contains("hunter")
            );
        }
        for text in ["", "\n", "a\nb", "a\0"] {
            let path = file(folder.path(), text, 0o600);
            assert!(
                matches!(password_from_file(&path), Err(PasswordError::Invalid(_))),
                "{text:?}"
            );
        }
        let longest = "x".repeat(LONGEST_FILE);
        let path = file(folder.path(), &longest, 0o600);
        assert_eq!(password_from_file(&path).unwrap().as_str(), longest);
        let path = file(folder.path(), &(longest + "\n"), 0o600);
        let error = password_from_file(&path).unwrap_err();
        assert!(matches!(error, PasswordError::TooLong(_)), "{error}");
        let absent = folder.path().join("absent");
        assert!(matches!(password_from_file(&absent), Err(PasswordError::Unreadable { .. })));
    }

    #[test]
    fn a_login_holds_the_password_and_debug_does_not() {
        let credentials = credentials();
        let shown = format!("{credentials:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("somebody"), "{shown}");
        let frame = credentials.login(Plant::History, 7);
        let login = rti::RequestLogin::decode(&frame[4..]).unwrap();
        assert_eq!((login.template_id, login.infra_type), (10, Some(3)));
        assert_eq!(login.password.as_deref(), Some("hunter2"));
        assert_eq!(login.user_msg, ["7"]);
    }
}

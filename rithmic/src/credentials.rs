//! The login's data, and their secret.

use std::fmt;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use zeroize::{Zeroize, Zeroizing};

use crate::link::Plant;
use crate::wire::{encode, rti};

/// The version of the message definitions that `rithmic-rs`'s types are of.
const TEMPLATE_VERSION: &str = "5.42";
/// The longest password file, in bytes.
const LONGEST_FILE: u64 = 4096;

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
    /// overwritten in memory when they are dropped; what a socket below copies of it is not.
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
        let frame = Zeroizing::new(encode(&login, None));
        login.password.zeroize();
        frame
    }
}

/// The reason that there is no password.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The variable is not set, or is not text.
    #[error("the environment has no text in {0}")]
    NotSet(String),
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
    /// There is nothing, or more than a password, or no text.
    #[error("{0} has no password: one line of text is expected")]
    Invalid(String),
}

/// Reads the password from an environment variable.
///
/// # Errors
/// If it is not set or empty.
pub fn password_from_environment(variable: &str) -> Result<Zeroizing<String>, PasswordError> {
    let text = std::env::var(variable).map_err(|_| PasswordError::NotSet(variable.to_owned()))?;
    one_line(Zeroizing::new(text), || variable.to_owned())
}

/// Reads the password from a file that its owner alone may read: mode 0600 or stricter.
///
/// # Errors
/// If it cannot be read, others may read it, or it is not one line of text.
pub fn password_from_file(path: &Path) -> Result<Zeroizing<String>, PasswordError> {
    let unreadable = |error| PasswordError::Unreadable { path: path.to_owned(), error };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    // Of the file that is open, so that another of that name makes no difference.
    let mode = file.metadata().map_err(unreadable)?.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(PasswordError::Open { path: path.to_owned(), mode });
    }
    // Room for all of it, so that no copy is left behind by growing.
    let mut text = Zeroizing::new(String::with_capacity(LONGEST_FILE as usize + 1));
    file.take(LONGEST_FILE).read_to_string(&mut text).map_err(unreadable)?;
    one_line(text, || path.display().to_string())
}

fn one_line(
    text: Zeroizing<String>,
    source: impl Fn() -> String,
) -> Result<Zeroizing<String>, PasswordError> {
    let line = text.trim_end_matches(['\r', '\n']);
    if line.is_empty() || line.contains(['\r', '\n', '\0']) {
        return Err(PasswordError::Invalid(source()));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use prost::Message as _;

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
        let absent = folder.path().join("absent");
        assert!(matches!(password_from_file(&absent), Err(PasswordError::Unreadable { .. })));
        let absent = password_from_environment("ALGOSPACE_HFT_NO_SUCH_VARIABLE");
        assert!(matches!(absent, Err(PasswordError::NotSet(_))));
    }

    #[test]
    fn a_login_holds_the_password_and_debug_does_not() {
        let credentials = Credentials {
            user: "somebody".into(),
            password: Zeroizing::new("hunter2".into()),
            system: "Rithmic Test".into(),
            application: "abcd:algospace".into(),
            version: "1".into(),
        };
        let shown = format!("{credentials:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("somebody"), "{shown}");
        let frame = credentials.login(Plant::History, 7);
        let login = rti::RequestLogin::decode(&frame[4..]).unwrap();
        assert_eq!((login.template_id, login.infra_type), (10, Some(3)));
        assert_eq!(login.password.as_deref(), Some("hunter2"));
        assert_eq!(login.user_msg, ["7"]);
    }
}

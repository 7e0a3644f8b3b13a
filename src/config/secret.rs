//! Text that must not be seen.

use std::fmt;

use zeroize::Zeroize as _;

use crate::settings::{Held, Plain, Reader, Unread, Value};

/// A text that is never printed: neither by `Debug` nor into the resolved configuration. It is
/// overwritten in memory when it is dropped; copies that the configuration's reader made are not.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text printed in its place.
    pub const REDACTED: &str = "<redacted>";

    /// The text, for the login.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::REDACTED)
    }
}

impl Held for Secret {
    fn read(from: &mut dyn Reader) -> Result<Secret, Unread> {
        Ok(Secret(from.text()?))
    }
    fn plain(&self) -> Plain {
        Plain::Text(Self::REDACTED.to_owned())
    }
}

impl Value for Secret {
    fn kind() -> String {
        String::kind()
    }
    fn is_absent(&self) -> bool {
        self.0.is_empty()
    }
}

//! Text that must not be seen.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use crate::settings::Value;

/// A text that is never printed: neither by `Debug` nor into the resolved configuration.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct Secret(String);

impl Secret {
    /// The text printed in its place.
    pub const REDACTED: &str = "<redacted>";

    /// The text, for the login.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        Secret(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::REDACTED)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(Self::REDACTED)
    }
}

impl Value for Secret {
    fn kind() -> String {
        String::kind()
    }
    fn shown(&self) -> String {
        Self::REDACTED.to_owned()
    }
}

//! The login of the live feed, and the way to its gateway.

use std::fmt;
use std::sync::Arc;

use algospace_hft_rithmic::credentials::{Credentials, PasswordError, password_from_file};
use algospace_hft_rithmic::edge::{ConnectError, Connector};
use zeroize::Zeroizing;

use crate::config::{LiveSettings, Secret};

/// Keys of the settings, before their names.
const SECTION: &str = "data_handler.live_settings";

/// A login and the way to the gateway. `Debug` shows neither.
#[derive(Clone)]
pub struct Login {
    /// User, password, system and program.
    pub credentials: Credentials,
    /// Opens sockets to the gateway.
    pub connector: Arc<Connector>,
    /// `false` if the way is not under TLS: on this machine only.
    pub is_encrypted: bool,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").finish_non_exhaustive()
    }
}

/// The reason that there is no login. No message shows what a key holds, but for paths.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Keys are absent.
    #[error(
        "{SECTION}: {} absent; give the login through the environment, as in `{}: \"${{RITHMIC_{}}}\"`",
        listed(.0), .0[0], .0[0].to_uppercase()
    )]
    Absent(Vec<&'static str>),
    /// The password's file cannot be used.
    #[error("{SECTION}.password_file: {0}")]
    Password(#[from] PasswordError),
    /// The address is invalid.
    #[error("{SECTION}.gateway: not an address such as wss://host:port")]
    Gateway,
    /// Without TLS, the password would be readable on the way.
    #[error(
        "{SECTION}.gateway: ws:// encrypts nothing, and the gateway is not this machine; use wss://"
    )]
    Plain,
    /// The trusted certificates cannot be read, or TLS cannot be set up.
    #[error("{SECTION}.certificate_authority: {0}")]
    Authorities(ConnectError),
}

/// Returns names as a list with its verb.
fn listed(names: &[&str]) -> String {
    match names {
        [only] => format!("{only} is"),
        [most @ .., last] => format!("{} and {last} are", most.join(", ")),
        [] => String::new(),
    }
}

impl Login {
    /// Reads the login from the settings, the password's file and the trusted certificates.
    ///
    /// # Errors
    /// If a part is absent or unusable.
    pub fn read(settings: &LiveSettings) -> Result<Login, LoginError> {
        let LiveSettings { user, password, password_file, gateway, system_name, .. } = settings;
        let has_password = password.is_some() || password_file.is_some();
        let parts = [
            ("user", user.is_some()),
            ("password", has_password),
            ("gateway", gateway.is_some()),
            ("system_name", system_name.is_some()),
        ];
        let absent: Vec<_> = parts.iter().filter(|(_, is_there)| !is_there).collect();
        let (Some(user), Some(gateway), Some(system), true) =
            (user, gateway, system_name, has_password)
        else {
            return Err(LoginError::Absent(absent.into_iter().map(|(name, _)| *name).collect()));
        };
        let password = match (password, password_file) {
            (_, Some(file)) => password_from_file(file)?,
            (password, None) => {
                Zeroizing::new(password.as_ref().map_or("", Secret::expose).to_owned())
            }
        };
        let version = settings.application_version.clone();
        let credentials = Credentials {
            user: user.expose().to_owned(),
            password,
            system: system.expose().to_owned(),
            application: settings.application_name.clone(),
            version: version.unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned()),
        };
        let authorities = settings.certificate_authority.as_deref();
        let connector =
            Connector::new(gateway.expose(), authorities).map_err(|error| match error {
                ConnectError::Address(_) => LoginError::Gateway,
                error => LoginError::Authorities(error),
            })?;
        let plain_host = host_of_plain(gateway.expose());
        if plain_host.is_some_and(|host| !is_this_machine(host)) {
            return Err(LoginError::Plain);
        }
        let is_encrypted = plain_host.is_none();
        Ok(Login { credentials, connector: Arc::new(connector), is_encrypted })
    }
}

/// Returns the host of a valid address without TLS.
fn host_of_plain(address: &str) -> Option<&str> {
    let authority = address.strip_prefix("ws://")?.split(['/', '?', '#']).next()?;
    match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next(),
        None => authority.split(':').next(),
    }
}

fn is_this_machine(host: &str) -> bool {
    let address = host.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::config::Config;

    const SECRETS: [&str; 4] = ["somebody", "hunter2", "wss://example.invalid:1", "Rithmic Secret"];

    fn settings(keys: &str) -> LiveSettings {
        let text =
            format!("system: {{ mode: paper }}\ndata_handler: {{ live_settings: {{ {keys} }} }}\n");
        Config::parse(&text, "my.yaml", &HashMap::new()).unwrap().data_handler.live_settings
    }

    fn refusal(keys: &str) -> String {
        let error = Login::read(&settings(keys)).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(SECRETS.iter().all(|secret| !shown.contains(secret)), "{shown}");
        error.to_string()
    }

    #[test]
    fn what_is_absent_is_named() {
        let [user, password, gateway, system] = SECRETS;
        let keys =
            [("user", user), ("password", password), ("gateway", gateway), ("system_name", system)];
        let all: Vec<String> =
            keys.iter().map(|(key, value)| format!("{key}: '{value}'")).collect();
        for (left_out, (name, _)) in keys.iter().enumerate() {
            let mut some = all.clone();
            some.remove(left_out);
            let message = refusal(&some.join(", "));
            let expected = format!("data_handler.live_settings: {name} is absent; ");
            assert!(message.starts_with(&expected), "{message}");
        }
        let message = refusal("");
        assert!(
            message.contains("user, password, gateway and system_name are absent"),
            "{message}"
        );
        assert!(message.contains("`user: \"${RITHMIC_USER}\"`"), "{message}");
    }

    #[test]
    fn a_login_comes_from_the_settings_and_a_file_of_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        fs::write(&file, "hunter2\n").unwrap();
        let keys = |gateway: &str| {
            format!(
                "user: somebody, system_name: Rithmic Secret, password_file: '{}', gateway: '{gateway}'",
                file.display()
            )
        };
        let local = "ws://127.0.0.1:9000";
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        let message = refusal(&keys(local));
        assert!(message.contains("password_file: ") && message.contains("chmod 600"), "{message}");
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let login = Login::read(&settings(&keys(local))).unwrap();
        assert_eq!(login.credentials.password.as_str(), "hunter2");
        assert_eq!(login.credentials.user, "somebody");
        let shown = format!("{login:?}");
        assert!(SECRETS.iter().all(|secret| !shown.contains(secret)), "{shown}");

        assert!(Login::read(&settings(&keys("ws://localhost:9000/"))).is_ok());
        assert!(Login::read(&settings(&keys("ws://[::1]:9000"))).is_ok());
        for (gateway, words) in [
            ("nowhere", "gateway: not an address"),
            ("http://127.0.0.1", "gateway: not an address"),
            ("ws://example.invalid:9000", "use wss://"),
            ("ws://127.0.0.1.example.invalid", "use wss://"),
        ] {
            let message = refusal(&keys(gateway));
            assert!(message.contains(words), "{gateway}: {message}");
        }
        let keys = format!("{}, certificate_authority: '{}'", keys(SECRETS[2]), file.display());
        assert!(refusal(&keys).contains("certificate_authority: "));
    }
}

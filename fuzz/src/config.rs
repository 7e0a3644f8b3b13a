use std::collections::HashMap;

use algospace_hft::config::Config;

/// Reads a configuration, and the resolved one once more.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let variables = HashMap::from([("NAME".to_owned(), "4".to_owned())]);
    match Config::parse(text, "fuzz.yaml", &variables) {
        Ok(config) => {
            let again = Config::parse(&config.to_resolved_yaml(), "again.yaml", &variables);
            assert!(again.is_ok(), "{again:?}");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

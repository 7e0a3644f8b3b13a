//! Environment variables in the configuration.
//!
//! serde-saphyr puts them in, after parsing and inside one scalar, so a value can never add keys.
//! Its Compose syntax reads quoted texts too, but lets an unset `${NAME}` and a lone `$` pass as
//! nothing. Here both are refused.

use std::collections::HashMap;

/// Checks the `$` in one scalar of the file.
///
/// # Errors
/// What is wrong, and the remedy, if `${NAME}` has no value, or if a `$` starts neither `${NAME…}`
/// nor `$$`.
pub(super) fn check(text: &str, variables: &HashMap<String, String>) -> Result<(), String> {
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        rest = &rest[dollar + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
            continue;
        }
        let Some(body) = rest.strip_prefix('{') else {
            return Err("a `$` alone stands for nothing: write `$$` for a dollar sign, or `${NAME}` for the environment variable NAME".to_owned());
        };
        let end = body
            .find(|letter: char| !(letter == '_' || letter.is_ascii_alphanumeric()))
            .unwrap_or(body.len());
        let name = &body[..end];
        if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
            return Err("`${` must be followed by a variable's name: write `${NAME}`, `${NAME:-default}` or `${NAME:?message}`".to_owned());
        }
        rest = &body[end..];
        if rest.starts_with('}') && !variables.contains_key(name) {
            return Err(format!(
                "the environment variable `{name}` is not set: set it, or give a default with `${{{name}:-default}}`"
            ));
        }
    }
    Ok(())
}

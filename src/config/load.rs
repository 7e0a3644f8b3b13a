//! From text to configuration and back.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{NonFiniteFloatPolicy, PropertySyntax};

use super::error::ConfigError;
use super::schema::Config;
use super::source::SourceText;

/// The problem of an empty configuration.
const EMPTY: &str = "the configuration is empty: it must at least say where a backtest's ticks come from, `data_handler: { backtest_settings: { file_path: FILE } }`";

/// Reads a document that is no configuration by the rules of one: unknown keys, keys that stand
/// twice and wrong values are refused where they stand. `name` stands for the file in errors, and
/// `check` returns further problems: paths, such as `faults[0].for`, with their messages.
///
/// # Errors
/// If the text is not YAML or empty, or of the problems above.
pub fn parse_document<T: DeserializeOwned>(
    text: &str,
    name: &str,
    check: impl FnOnce(&T) -> Vec<(String, String)>,
) -> Result<T, ConfigError> {
    let (document, source) = read(text, name, "the file is empty", &HashMap::new())?;
    let problem = |(path, message): (String, String)| source.problem_at(&[&path], &message);
    let problems: Vec<_> = check(&document).into_iter().map(problem).collect();
    if problems.is_empty() { Ok(document) } else { Err(ConfigError::Invalid { problems }) }
}

/// Reads a document with the places of its keys.
fn read<'a, T: DeserializeOwned>(
    text: &'a str,
    name: &'a str,
    empty: &'a str,
    variables: &HashMap<String, String>,
) -> Result<(T, SourceText<'a>), ConfigError> {
    let mut source = SourceText::new(name, text, empty);
    source.scan(options(), variables).map_err(|problems| ConfigError::Invalid { problems })?;
    let mut options = options().with_properties(variables.clone());
    options.property_syntax = PropertySyntax::DockerCompose;
    let document = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| ConfigError::Invalid { problems: vec![source.refused(&error)] })?;
    Ok((document, source))
}

/// The process's environment variables, less those that are not Unicode.
pub fn process_variables() -> HashMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

impl Config {
    /// Reads a configuration file.
    ///
    /// `variables` are what `${NAME}` may refer to: [`process_variables`].
    ///
    /// # Errors
    /// If the file cannot be read, or as [`Config::parse`].
    pub fn load(path: &Path, variables: &HashMap<String, String>) -> Result<Config, ConfigError> {
        let text = fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Config::parse(&text, &path.display().to_string(), variables)
    }

    /// `system.mode` as the file spells it, whatever else is wrong with the file; `None` where it
    /// cannot be told.
    pub fn written_mode(path: &Path) -> Option<String> {
        let text = fs::read_to_string(path).ok()?;
        let value: serde_json::Value =
            serde_saphyr::from_str_with_options(&text, options()).ok()?;
        Some(value.get("system")?.get("mode")?.as_str()?.to_owned())
    }

    /// Reads a configuration from `text`; `name` stands for the file in errors.
    ///
    /// # Errors
    /// If the text is not YAML or empty, has unknown keys, wrong types, unset variables or
    /// impossible values, or if no source of ticks is named for a backtest.
    pub fn parse(
        text: &str,
        name: &str,
        variables: &HashMap<String, String>,
    ) -> Result<Config, ConfigError> {
        let (mut config, source) = read::<Config>(text, name, EMPTY, variables)?;
        let problems = super::validate::problems(&config, &source);
        if !problems.is_empty() {
            return Err(ConfigError::Invalid { problems });
        }
        config.bars.timeframes.sort_unstable();
        if let Some(market) = &mut config.data_handler.backtest_settings.synthetic {
            market.seed.get_or_insert(config.system.seed);
        }
        config.written = source.written_keys();
        Ok(config)
    }

    /// The configuration with every default filled in, as YAML that loads back to the same.
    ///
    /// Secrets are redacted, so a resolved configuration cannot log in.
    pub fn to_resolved_yaml(&self) -> String {
        let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
        let yaml = serde_saphyr::to_string_with_options(self, options)
            .expect("a configuration is plain sections, lists and scalars");
        // A `$` in a value stands for itself.
        yaml.replace('$', "$$")
    }
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: 32, max_nodes: 10_000 },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 10_000 },
        duplicate_keys: DuplicateKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    }
}

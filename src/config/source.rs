//! The text of a configuration: where each key stands, and which keys there are.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Error, Location, MessageFormatter, Options, Spanned, UserMessageFormatter};

use super::error::Problem;
use super::removed;
use super::variables;

/// Paths such as `bars.timeframes[0]`, and where they stand.
#[derive(Default)]
struct Places {
    keys: BTreeMap<String, Location>,
    values: BTreeMap<String, Location>,
    set: BTreeSet<String>,
}

/// A configuration's text with its name.
pub(super) struct SourceText<'a> {
    name: &'a str,
    text: &'a str,
    /// The problem of a text without a key.
    empty: &'a str,
    places: Places,
}

/// The paths that a file sets to something else than null.
///
/// Two configurations are equal if they mean the same, whichever keys their files spelled out.
#[derive(Clone, Debug, Default)]
pub(super) struct WrittenKeys(BTreeSet<String>);

impl PartialEq for WrittenKeys {
    fn eq(&self, _: &WrittenKeys) -> bool {
        true
    }
}

impl WrittenKeys {
    /// Returns whether the file sets this key.
    pub(super) fn contains(&self, path: &str) -> bool {
        self.0.contains(path)
    }
}

/// Any YAML node, with only what [`SourceText`] needs of it.
enum Node {
    Empty,
    Text(String),
    Other,
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
    List(Vec<Spanned<Node>>),
}

impl<'a> SourceText<'a> {
    /// A text of which nothing is known yet.
    pub(super) fn new(name: &'a str, text: &'a str, empty: &'a str) -> SourceText<'a> {
        SourceText { name, text, empty, places: Places::default() }
    }

    /// Reads where each key stands and checks the variables in the values.
    ///
    /// # Errors
    /// Every bad variable; or that the text is empty; or that it is not YAML.
    pub(super) fn scan(
        &mut self,
        options: Options,
        variables: &HashMap<String, String>,
    ) -> Result<(), Vec<Problem>> {
        let root: Spanned<Node> = match serde_saphyr::from_str_with_options(self.text, options) {
            Ok(root) => root,
            Err(Error::Eof { .. }) if self.is_blank() => return Err(vec![self.empty()]),
            Err(error) => return Err(vec![self.refused(&error)]),
        };
        if matches!(root.value, Node::Empty) {
            return Err(vec![self.empty()]);
        }
        let mut bad = Vec::new();
        self.visit("", &root, variables, &mut bad);
        if bad.is_empty() { Ok(()) } else { Err(bad) }
    }

    fn visit(
        &mut self,
        path: &str,
        node: &Spanned<Node>,
        variables: &HashMap<String, String>,
        bad: &mut Vec<Problem>,
    ) {
        self.places.values.insert(path.to_owned(), node.referenced);
        if !matches!(node.value, Node::Empty) {
            self.places.set.insert(path.to_owned());
        }
        match &node.value {
            Node::Empty | Node::Other => {}
            Node::Text(text) => {
                if let Err(message) = variables::check(text, variables) {
                    bad.push(self.problem(node.referenced, &format!("`{path}`: {message}")));
                }
            }
            Node::Map(entries) => {
                for (key, value) in entries {
                    let separator = if path.is_empty() { "" } else { "." };
                    let path = format!("{path}{separator}{}", key.value);
                    self.places.keys.insert(path.clone(), key.referenced);
                    self.visit(&path, value, variables, bad);
                }
            }
            Node::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.visit(&format!("{path}[{index}]"), item, variables, bad);
                }
            }
        }
    }

    /// The paths that the text sets to something else than null.
    pub(super) fn written_keys(&self) -> WrittenKeys {
        WrittenKeys(self.places.set.clone())
    }

    /// A problem at the first of `paths` that the text has, or at its nearest section that it has.
    pub(super) fn problem_at(&self, paths: &[&str], message: &str) -> Problem {
        let written = paths.iter().find_map(|path| self.places.values.get(*path));
        let section = || {
            let mut path = *paths.first()?;
            while let Some((section, _)) = path.rsplit_once('.') {
                path = section;
                if let Some(location) = self.places.keys.get(path) {
                    return Some(location);
                }
            }
            self.places.values.get("")
        };
        let location = written.or_else(section).copied().unwrap_or(Location::UNKNOWN);
        self.problem(location, message)
    }

    /// Returns the error of serde-saphyr, reworded where its own words are for programmers.
    pub(super) fn refused(&self, error: &Error) -> Problem {
        let location = error.location().unwrap_or(Location::UNKNOWN);
        if matches!(error, Error::SerdeUnknownField { .. })
            && let Some(path) = path_at(&self.places.keys, location)
            && let Some(replacement) = removed::replacement(path)
        {
            return self.problem(location, &format!("`{path}` was removed: {replacement}"));
        }
        let mut message = reason(error);
        if self.line(location).contains("${") && matches!(error, Error::ExternalMessage { .. }) {
            message += "; inside `{ }` and `[ ]` a variable must stand in quotes: \"${NAME}\"";
        }
        let value = path_at(&self.places.values, location).filter(|path| !path.is_empty());
        let section = || Some(path_at(&self.places.keys, location)?.rsplit_once('.')?.0);
        match value.or_else(section) {
            Some(path) => self.problem(location, &format!("`{path}`: {message}")),
            None => self.problem(location, &message),
        }
    }

    fn problem(&self, location: Location, message: &str) -> Problem {
        Problem {
            file: self.name.to_owned(),
            line: location.line().max(1),
            column: location.column().max(1),
            message: message.to_owned(),
            snippet: self.line(location).to_owned(),
        }
    }

    fn line(&self, location: Location) -> &str {
        let index = location.line().saturating_sub(1) as usize;
        self.text.lines().nth(index).unwrap_or_default()
    }

    fn is_blank(&self) -> bool {
        self.text.lines().all(|line| line.trim().is_empty() || line.trim().starts_with('#'))
    }

    fn empty(&self) -> Problem {
        self.problem(Location::UNKNOWN, self.empty)
    }
}

fn path_at(places: &BTreeMap<String, Location>, location: Location) -> Option<&str> {
    let stands_there =
        |place: &Location| place.line() == location.line() && place.column() == location.column();
    places.iter().find(|(_, place)| stands_there(place)).map(|(path, _)| path.as_str())
}

/// An error without its place, with the remedy.
fn reason(error: &Error) -> String {
    match error {
        Error::AliasError { error, .. } => reason(error),
        Error::InvalidScalar { ty, .. } if ty.starts_with('u') => {
            let largest = if *ty == "u64" { u64::MAX } else { u64::from(u32::MAX) };
            format!(
                "must be a whole number from 0 to {largest}; docs/configuration.md has its range"
            )
        }
        Error::InvalidScalar { ty: "floating point", .. } => {
            "must be a number such as 0.05; docs/configuration.md has its range".to_owned()
        }
        Error::Unexpected { expected: "mapping start", .. } => {
            "must be a section of keys; delete it to have its defaults".to_owned()
        }
        Error::Unexpected { expected: "sequence start", .. } => {
            "must be a list such as [5, 30]".to_owned()
        }
        Error::NullIntoString { .. } => {
            "has no value: give one, or delete the key to have its default".to_owned()
        }
        Error::SerdeUnknownField { field, expected, .. } => {
            format!("unknown key `{field}`; the keys here are {}", expected.join(", "))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            format!("`{variant}` is not one of {}", expected.join(", "))
        }
        Error::SerdeMissingField { field, .. } => format!("the key `{field}` is missing: add it"),
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or("this one");
            format!("the key `{key}` stands twice in its section: delete one of the two")
        }
        Error::PropertyRequiredButUnset { name, message, .. }
        | Error::PropertyRequiredButEmpty { name, message, .. } => {
            let separator = if message.is_empty() { "" } else { ": " };
            format!(
                "the environment variable `{name}` must be set and not empty{separator}{message}"
            )
        }
        other => {
            let message = UserMessageFormatter.format_message(other).into_owned();
            let tabs = message.starts_with("tabs disallowed");
            if tabs { format!("{message}: indent with spaces") } else { message }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

/// Visits what serde-saphyr makes of a node whose type it is not told.
struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list or a section of keys")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Empty)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Map(entries))
    }
}

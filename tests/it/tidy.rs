//! The tree itself: what no compiler checks, but every reader relies on.
//!
//! Counts that are not zero yet may only fall: whoever lowers one lowers the number here too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of `src`, from the ground up, each with the rooms that it may name. A room names only
/// rooms that stand above it in this table, so there are no circles. `ARCHITECTURE.md` explains it.
const ROOMS: &[(&str, &str)] = &[
    ("whole_file", ""),
    ("printable", ""),
    ("random", ""),
    ("journal", ""),
    ("market", ""),
    ("settings", "market"),
    ("machine", "settings"),
    ("page", "whole_file"),
    ("table", "market whole_file"),
    ("latency", "market"),
    ("inference", "random settings"),
    ("source", "market random settings whole_file"),
    ("bars", "market settings table"),
    ("indicators", "market settings"),
    ("features", "indicators market settings table"),
    ("matrix", "features market settings table"),
    ("execution", "market settings"),
    ("strategy", "execution inference market matrix random settings table"),
    ("agents", "execution features inference market matrix settings strategy"),
    (
        "performance",
        "execution latency market page random settings source strategy table whole_file",
    ),
    ("chart", "market page whole_file"),
    (
        "engine",
        "bars execution features indicators inference journal latency machine market matrix settings \
         strategy",
    ),
    (
        "config",
        "agents bars engine execution features inference market matrix performance settings source \
         strategy",
    ),
    (
        "run",
        "agents config engine execution inference journal latency machine market matrix performance \
         source strategy whole_file",
    ),
    (
        "live",
        "agents bars config engine execution features inference journal latency machine market matrix \
         performance printable run settings source strategy table whole_file",
    ),
    ("environment", "agents config engine execution market matrix random run source strategy"),
    (
        "cli",
        "agents bars chart config engine execution features live market matrix page performance \
         printable run source strategy table whole_file",
    ),
];

/// Crates that only some rooms may name: what ties the rest to no library and no device.
const CRATES: &[(&str, &str)] = &[
    ("algospace_hft_rithmic", "live"),
    ("clap", "cli source"),
    ("core_affinity", "machine"),
    ("ctrlc", "cli"),
    ("dbn", "source"),
    ("disruptor", "engine"),
    ("indicatif", "cli"),
    ("ort", "inference"),
    ("parquet", "source table"),
    ("plotly", "chart page performance"),
    ("quanta", "engine live run"),
    ("rten", "inference"),
    ("rtrb", "engine live"),
    ("rustix", "journal machine whole_file"),
    ("serde_saphyr", "config performance"),
];

/// The longest function, in lines.
const LONGEST: usize = 70;

/// Functions that are still longer, by folder and name, and how long each may be.
const STILL_LONGER: &[(&str, &str, usize)] = &[
    ("benches/peers", "rows", 327),
    ("src/indicators", "the_profile_is_its_bars", 81),
    ("src/performance", "of", 106),
    ("src/source", "decode_databento", 111),
    ("src/source", "detect", 77),
    ("src/source", "every_preset_reads_its_own_example_and_a_file_of_its_kind", 102),
    ("src/source", "layout", 87),
    ("src/source", "line", 80),
    ("src/source", "next_session", 91),
    ("src/source", "open", 93),
    ("src/source", "read", 81),
    ("src/source", "row", 71),
    (
        "tests/it",
        "a_run_that_is_killed_leaves_a_journal_that_is_a_prefix_of_the_whole_one_and_replays",
        79,
    ),
    ("tests/it", "bars_of_every_vendor_are_the_same_minutes", 112),
    ("tests/it", "sample_run", 96),
    ("tests/no_allocation", "a_full_day_in_a_process_of_its_own", 108),
];

/// Documents that a program writes.
const WRITTEN: [&str; 1] = ["models/regimes/README.md"];

/// The widest line of a comment or a document, in characters. Code is as wide as rustfmt makes it.
const WIDEST: usize = 100;

/// Folders with lines that are still wider, and how many each may have.
const STILL_WIDER: &[(&str, usize)] = &[("docs/configuration.md", 15)];

/// What comments and documents are not to say, as lower-case phrases of whole words, and how often
/// they still do.
const BANNED: &[(&str, usize)] = &[
    ("anew", 1),
    ("are none", 0),
    ("cannot be,", 0),
    ("cannot be.", 1),
    ("goes on", 0),
    ("is no number", 1),
    ("is none", 1),
    ("so many", 0),
    ("there is not", 0),
    ("whatever", 1),
    ("whoever", 0),
];

/// Words with which no doc comment begins.
const QUESTIONS: [&str; 9] =
    ["How", "What", "Whatever", "When", "Where", "Whether", "Who", "Whoever", "Why"];
/// Doc comments that still begin with one of them.
const STILL_QUESTIONS: usize = 9;

/// A file of the tree.
struct File {
    /// Its path from the root.
    path: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Adds the files of `folder` whose names end so.
fn read_folder(folder: &Path, ending: &str, into: &mut Vec<File>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_made = ["target", "runs", "corpus", "artifacts", "shared"].contains(&name);
        if path.is_dir() && !is_made && !name.starts_with('.') {
            read_folder(&path, ending, into);
        } else if path.is_file() && name.ends_with(ending) {
            let text = fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            into.push(File { path, text });
        }
    }
}

/// Every Rust file of the repository but this one, which names what it forbids.
fn sources() -> Vec<File> {
    let mut files = Vec::new();
    read_folder(root(), ".rs", &mut files);
    files.retain(|file| file.path != file!());
    assert!(files.len() > 200, "only {} files: is this the tree?", files.len());
    files
}

/// Every document of the repository.
fn documents() -> Vec<File> {
    let mut files = Vec::new();
    read_folder(root(), ".md", &mut files);
    assert!(files.len() > 10, "only {} files: is this the tree?", files.len());
    files
}

/// Complains of everything at once.
fn check(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

/// Returns the room of a file of `src`; `None` for tests, and for what is beside the rooms.
fn room(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let is_test = inside.ends_with("tests.rs") || inside.contains("/tests/");
    let room = inside.split('/').next()?.trim_end_matches(".rs");
    (!is_test && !["lib", "main", "sampling"].contains(&room)).then_some(room)
}

/// Returns the first two parts of a path: `src/engine`, `docs/import.md`.
fn folder(path: &str) -> &str {
    path.match_indices('/').nth(1).map_or(path, |(place, _)| &path[..place])
}

fn indentation(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// Returns the lines of code, without comments and without what is compiled for tests only.
fn code(text: &str) -> Vec<&str> {
    let mut code = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            let end = format!("{}}}", indentation(line));
            let item = lines.find(|line| !line.trim().starts_with("#[")).unwrap_or_default();
            if !item.ends_with(';') {
                let _ = lines.find(|line| line.starts_with(&end));
            }
        } else if !is_comment(line) {
            code.push(line);
        }
    }
    code
}

/// Returns the identifiers that follow `before` in a line.
fn names_after<'l>(line: &'l str, before: &str) -> impl Iterator<Item = &'l str> {
    line.match_indices(before).map(move |(place, _)| {
        let rest = &line[place + before.len()..];
        &rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())]
    })
}

/// Returns whether a line names this crate as the first part of a path.
fn names_crate(line: &str, name: &str) -> bool {
    line.match_indices(&format!("{name}::")).any(|(place, _)| {
        !line[..place].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

/// Returns whether a list of words holds that one.
fn holds(words: &str, word: &str) -> bool {
    words.split(' ').any(|one| one == word)
}

#[test]
fn rooms_name_only_rooms_below_them() {
    let mut wrong = Vec::new();
    let below: BTreeMap<&str, &str> = ROOMS.iter().copied().collect();
    for (place, (room, named)) in ROOMS.iter().enumerate() {
        for name in named.split(' ').filter(|name| !name.is_empty()) {
            if !ROOMS[..place].iter().any(|(earlier, _)| *earlier == name) {
                wrong.push(format!("the table lets `{room}` name `{name}`, which is not below it"));
            }
        }
    }
    let mut rooms = BTreeSet::new();
    for file in sources() {
        let Some(room) = room(&file.path) else { continue };
        rooms.insert(room.to_owned());
        let Some(allowed) = below.get(room) else {
            wrong.push(format!("{}: the room `{room}` is not in the table", file.path));
            continue;
        };
        for line in code(&file.text) {
            for name in names_after(line, "crate::") {
                if name != room && !holds(allowed, name) {
                    wrong.push(format!("{}: `{room}` may not name `{name}`: {line}", file.path));
                }
            }
            for (name, allowed) in CRATES {
                if names_crate(line, name) && !holds(allowed, room) {
                    wrong.push(format!("{}: `{room}` may not name `{name}`: {line}", file.path));
                }
            }
        }
    }
    let gone = below.keys().filter(|room| !rooms.contains(**room));
    wrong.extend(gone.map(|room| format!("the table's room `{room}` is not in the tree")));
    check("arrows between rooms", &wrong);
}

/// Returns name and number of lines of each function of a formatted file.
fn functions(text: &str) -> Vec<(&str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut functions = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(place) = line.find("fn ") else { continue };
        let before = line[..place].trim();
        let is_item = before.split(' ').all(|word| {
            word.is_empty()
                || word.starts_with("pub")
                || ["const", "async", "unsafe", "super)", "crate)"].contains(&word)
        });
        if !is_item || is_comment(line) {
            continue;
        }
        let name = names_after(line, "fn ").next().unwrap_or_default();
        let (close, declared) =
            (format!("{}}}", indentation(line)), format!("{})", indentation(line)));
        let is_one_line = line.ends_with('}') || line.ends_with(';');
        let is_end = |line: &&str| {
            line.starts_with(&close) || line.starts_with(&declared) && line.ends_with(';')
        };
        let more = if is_one_line {
            0
        } else {
            lines[start + 1..].iter().position(is_end).map_or(0, |n| n + 1)
        };
        functions.push((name, more + 1));
    }
    functions
}

#[test]
fn functions_are_short() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for file in sources() {
        for (name, lines) in functions(&file.text) {
            seen += 1;
            let listed =
                STILL_LONGER.iter().find(|(at, of, _)| (*at, *of) == (folder(&file.path), name));
            let most = listed.map_or(LONGEST, |(_, _, lines)| *lines);
            if lines > most {
                let at = folder(&file.path);
                wrong.push(format!("    (\"{at}\", \"{name}\", {lines}),"));
            }
        }
    }
    assert!(seen > 2_000, "only {seen} functions were found");
    check("functions that are longer than they may be", &wrong);
}

/// Returns how many lines of comments, or of a document's prose, are too wide.
fn wide_lines(file: &File) -> usize {
    let is_table = |line: &str| line.trim_start_matches([' ', '/', '!']).starts_with('|');
    let is_wide =
        |line: &str| line.chars().count() > WIDEST && !is_table(line) && !line.contains("https://");
    if file.path.ends_with(".rs") {
        return file.text.lines().filter(|line| is_comment(line) && is_wide(line)).count();
    }
    let mut in_block = false;
    let mut wide = 0;
    for line in file.text.lines() {
        in_block ^= line.trim_start().starts_with("```");
        wide += usize::from(is_wide(line) && !in_block);
    }
    wide
}

#[test]
fn comments_and_documents_are_narrow() {
    let mut wide: BTreeMap<&str, usize> = BTreeMap::new();
    let (sources, documents) = (sources(), documents());
    for file in sources.iter().chain(&documents) {
        if !WRITTEN.contains(&&*file.path) {
            *wide.entry(folder(&file.path)).or_default() += wide_lines(file);
        }
    }
    wide.retain(|folder, lines| {
        let listed = STILL_WIDER.iter().find(|(at, _)| at == folder);
        *lines > listed.map_or(0, |(_, most)| *most)
    });
    let wrong: Vec<_> =
        wide.iter().map(|(at, lines)| format!("    (\"{at}\", {lines}),")).collect();
    check("folders with more lines over 100 columns than they may have", &wrong);
}

/// Returns the blocks of comment lines of a source, each as one line of text, and whether it
/// documents an item.
fn comments(text: &str) -> Vec<(bool, String)> {
    let mut blocks: Vec<(bool, String)> = Vec::new();
    let mut goes_on = false;
    for line in text.lines().map(str::trim_start) {
        let Some(comment) = line.strip_prefix("//") else {
            goes_on = false;
            continue;
        };
        let said = comment.strip_prefix(['/', '!']).unwrap_or(comment).trim();
        match blocks.last_mut() {
            Some((_, block)) if goes_on => {
                block.push(' ');
                block.push_str(said);
            }
            _ => blocks.push((
                comment.len() > comment.trim_start_matches(['/', '!']).len(),
                said.to_owned(),
            )),
        }
        goes_on = true;
    }
    blocks
}

/// Returns how often `phrase` stands in `text` as whole words.
fn count(text: &str, phrase: &str) -> usize {
    let is_apart = |place: usize| {
        let is_inside = |c: char| c.is_alphanumeric() || c == '_';
        !text[..place].ends_with(is_inside) && !text[place + phrase.len()..].starts_with(is_inside)
    };
    text.match_indices(phrase).filter(|(place, _)| is_apart(*place)).count()
}

#[test]
fn comments_and_documents_use_plain_words() {
    let mut texts: Vec<(String, String)> = Vec::new();
    let mut questions = Vec::new();
    for file in sources() {
        for (documents, text) in comments(&file.text) {
            let first = text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            if documents && QUESTIONS.contains(&first) {
                questions.push(format!(
                    "{}: {}",
                    file.path,
                    text.chars().take(60).collect::<String>()
                ));
            }
            texts.push((file.path.clone(), text.to_lowercase()));
        }
    }
    for file in documents() {
        let words: Vec<&str> = file.text.split_whitespace().collect();
        texts.push((file.path.clone(), words.join(" ").to_lowercase()));
    }
    let mut wrong = Vec::new();
    for (phrase, most) in BANNED {
        let found: Vec<(&str, usize)> = texts
            .iter()
            .map(|(path, text)| (path.as_str(), count(text, phrase)))
            .filter(|(_, n)| *n > 0)
            .collect();
        let all: usize = found.iter().map(|(_, n)| n).sum();
        if all > *most {
            let files: BTreeSet<&str> = found.iter().map(|(path, _)| *path).collect();
            wrong.push(format!("    (\"{phrase}\", {all}), in {files:?}"));
        }
    }
    check("words that are banned", &wrong);
    let most = STILL_QUESTIONS;
    assert!(
        questions.len() <= most,
        "{} doc comments begin with a question word, {most} may:\n{}",
        questions.len(),
        questions.join("\n")
    );
}

/// Returns the paths of this repository that a text names, without what follows `:` or `#`.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    const TOPS: [&str; 11] = [
        ".ci/",
        "benches/",
        "config/",
        "docs/",
        "examples/",
        "fuzz/",
        "kernels/",
        "models/",
        "perf/",
        "src/",
        "tests/",
    ];
    let is_between = |c: char| c.is_whitespace() || "`()[]\"'<>,;#:*".contains(c);
    text.split(is_between)
        .map(|word| word.trim_end_matches(['.', '/']))
        .filter(move |word| TOPS.iter().any(|top| word.starts_with(top)))
}

/// Paths that a text names and that a run or a fuzzer makes.
const MADE: [&str; 2] = ["fuzz/corpus", "fuzz/artifacts"];

#[test]
fn paths_named_in_comments_and_documents_exist() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    let mut look = |file: &str, text: &str| {
        for path in paths(text) {
            seen += 1;
            let is_made = MADE.iter().any(|made| path.starts_with(made));
            let beside = Path::new(file).parent().unwrap_or(Path::new(""));
            let exists = root().join(path).exists() || root().join(beside).join(path).exists();
            if !exists && !is_made {
                wrong.push(format!("{file}: {path}"));
            }
        }
    };
    for file in sources() {
        comments(&file.text).iter().for_each(|(_, text)| look(&file.path, text));
    }
    documents().iter().for_each(|file| look(&file.path, &file.text));
    assert!(seen > 50, "only {seen} paths were found");
    check("paths that are named and do not exist", &wrong);
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut wrong = Vec::new();
    for file in documents() {
        for (place, _) in file.text.match_indices("](") {
            let rest = &file.text[place + 2..];
            let target = &rest[..rest.find([')', '#']).unwrap_or(rest.len())];
            let beside = root().join(&file.path).parent().unwrap().join(target);
            if !target.contains("://") && !beside.exists() {
                wrong.push(format!("{}: {target}", file.path));
            }
        }
    }
    check("links that lead nowhere", &wrong);
}

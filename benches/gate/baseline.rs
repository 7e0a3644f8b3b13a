//! The committed figures that the gate compares with, and the verdict on each.

use std::fmt;
use std::str::FromStr;

/// The build that the committed figures were counted with. Other compilers make other instructions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// As `rustc -V` says.
    pub compiler: String,
    /// Processor family, system, and instruction sets beyond the family's least.
    pub target: String,
    /// Cargo's profile, and what the environment changes of it.
    pub profile: String,
}

/// Instructions an operation, by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    pub key: Key,
    pub rows: Vec<(String, f64)>,
}

/// The allowed excess of a row over its baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// Counted with the same key: callgrind's counts do not vary.
    Same,
    /// Another compiler or profile: only a gross regression can be told from its doing.
    OtherBuild,
    /// Instructions of another processor or system are not comparable.
    OtherTarget,
}

impl Bound {
    /// In percent; `None` if nothing is compared.
    pub const fn percent(self) -> Option<f64> {
        match self {
            Bound::Same => Some(1.0),
            Bound::OtherBuild => Some(10.0),
            Bound::OtherTarget => None,
        }
    }
}

/// The verdict on a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// Within the bound.
    Same,
    /// Better by more than the bound. It passes, and asks for a new baseline: until there is one,
    /// as much can be lost again unseen.
    Improved,
    /// Worse by more than the bound.
    Regressed,
    /// The baseline does not have the row: nothing guards it.
    Unknown,
    /// Nothing was compared.
    NotCompared,
}

impl Verdict {
    /// Returns whether the gate fails by it.
    pub const fn fails(self) -> bool {
        matches!(self, Verdict::Regressed | Verdict::Unknown)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Same => "ok",
            Verdict::Improved => "ok, IMPROVED",
            Verdict::Regressed => "REGRESSED",
            Verdict::Unknown => "NOT IN THE BASELINE",
            Verdict::NotCompared => "not compared",
        }
    }
}

impl Baseline {
    /// Returns the allowed excess over this baseline of rows counted with the key `now`.
    pub fn bound(&self, now: &Key) -> Bound {
        if self.key.target != now.target {
            Bound::OtherTarget
        } else if self.key == *now {
            Bound::Same
        } else {
            Bound::OtherBuild
        }
    }

    pub fn get(&self, row: &str) -> Option<f64> {
        self.rows.iter().find(|(name, _)| name == row).map(|&(_, instructions)| instructions)
    }

    /// Returns the verdict on a row that has `instructions` an operation now.
    pub fn verdict(&self, row: &str, instructions: f64, bound: Bound) -> Verdict {
        let Some(percent) = bound.percent() else { return Verdict::NotCompared };
        let Some(before) = self.get(row) else { return Verdict::Unknown };
        let change = change_percent(before, instructions);
        if change < -percent {
            Verdict::Improved
        } else if change <= percent {
            Verdict::Same
        } else {
            // Nor may a row that counted nothing pass.
            Verdict::Regressed
        }
    }
}

/// Returns the increase from `before` to `now`, in percent.
pub fn change_percent(before: f64, now: f64) -> f64 {
    (now / before - 1.0) * 100.0
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, {}", self.compiler, self.target, self.profile)
    }
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# Instructions an operation. `PERF_UPDATE=1 cargo bench --bench gate` writes this file"
        )?;
        writeln!(f, "# anew; perf/README.md says when.")?;
        writeln!(f, "compiler: {}", self.key.compiler)?;
        writeln!(f, "target: {}", self.key.target)?;
        writeln!(f, "profile: {}", self.key.profile)?;
        for (name, instructions) in &self.rows {
            writeln!(f, "{instructions:>12.3}  {name}")?;
        }
        Ok(())
    }
}

impl FromStr for Baseline {
    type Err = String;

    fn from_str(text: &str) -> Result<Baseline, String> {
        let lines = || text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let field = |name: &str| {
            let mut values = lines().filter_map(|line| line.strip_prefix(name));
            values.next().map(|value| value.trim().to_owned()).ok_or(format!("no `{name}`"))
        };
        let key = Key {
            compiler: field("compiler:")?,
            target: field("target:")?,
            profile: field("profile:")?,
        };
        let mut rows = Vec::new();
        for line in lines().skip_while(|line| !line.starts_with("profile:")).skip(1) {
            let row = line.trim_start().split_once("  ");
            let row = row.and_then(|(number, name)| Some((name.to_owned(), number.parse().ok()?)));
            rows.push(row.ok_or(format!("`{line}` is no row"))?);
        }
        Ok(Baseline { key, rows })
    }
}

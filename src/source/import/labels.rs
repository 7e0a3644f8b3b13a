//! What the names that sources give to contracts mean for an import.

use std::path::Path;

use super::report::Finding;
use super::row::Label;
use crate::market::{Contract, Naming, Timestamp};

/// Which contract rows belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// The source does not say.
    Unnamed,
    /// One contract, with its full expiry.
    Contract(Contract),
    /// A name that is no contract's, such as a series that the source joined; each instrument number
    /// behind it is a contract of its own.
    Series { name: String, number: Option<u32> },
}

impl Identity {
    /// What the output calls it; `unnamed` is for what the source does not name.
    pub(super) fn name(&self, unnamed: &str) -> String {
        match self {
            Identity::Unnamed => unnamed.to_owned(),
            Identity::Contract(contract) => contract.to_string(),
            Identity::Series { name, number: Some(number) } => format!("{name}:{number}"),
            Identity::Series { name, number: None } => name.clone(),
        }
    }

    /// As [`Identity::name`], where there is no other.
    pub(super) fn only_name(&self, unnamed: &str) -> String {
        match self {
            Identity::Series { name, .. } => name.clone(),
            _ => self.name(unnamed),
        }
    }

    pub(super) fn contract(&self) -> Option<&Contract> {
        match self {
            Identity::Contract(contract) => Some(contract),
            _ => None,
        }
    }
}

/// What becomes of the rows of a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Take(Identity),
    /// Another contract was asked for.
    Unwanted,
    /// Counted and dropped.
    Skip(Finding),
}

/// Judges labels for one import.
pub(super) struct Labels {
    /// The instrument's symbol.
    symbol: String,
    /// The contract that was asked for.
    wanted: Option<(String, Naming)>,
    /// Contracts that were not asked for.
    pub(super) others: Vec<String>,
    /// Products that are not the instrument's, each with the first name of it.
    pub(super) foreign: Vec<(String, String)>,
}

impl Labels {
    pub(super) fn new(symbol: &str, wanted: Option<&str>) -> Labels {
        let wanted = wanted.map(|wanted| (wanted.to_owned(), Naming::of_symbol(wanted)));
        Labels { symbol: symbol.to_owned(), wanted, others: Vec::new(), foreign: Vec::new() }
    }

    /// The contract that was asked for, if it is of another product.
    pub(super) fn foreign_wanted(&self) -> Option<(String, String)> {
        let (name, naming) = self.wanted.as_ref()?;
        Some((self.foreign_product(naming)?, name.clone()))
    }

    pub(super) fn judge(&mut self, label: Label<'_>) -> Verdict {
        self.judge_naming(&Naming::of_symbol(label.name), label)
    }

    /// Rows of a file that names no contract inside.
    pub(super) fn judge_file(&mut self, file: &str, naming: &Naming, at: Timestamp) -> Verdict {
        let label = Label { name: file, number: None, at };
        match naming {
            Naming::Contract(_) => match self.judge_naming(naming, label) {
                Verdict::Take(Identity::Series { .. }) => Verdict::Take(Identity::Unnamed),
                verdict => verdict,
            },
            Naming::Product(_) if self.foreign_product(naming).is_some() => {
                self.judge_naming(naming, label)
            }
            _ => Verdict::Take(Identity::Unnamed),
        }
    }

    fn judge_naming(&mut self, naming: &Naming, label: Label<'_>) -> Verdict {
        if let Some(product) = self.foreign_product(naming) {
            if !self.foreign.iter().any(|(known, _)| *known == product) {
                self.foreign.push((product, label.name.to_owned()));
            }
            return Verdict::Skip(Finding::OtherProduct);
        }
        let identity = match naming {
            Naming::Combination => return Verdict::Skip(Finding::Combination),
            Naming::Contract(name) => name.resolve(&self.symbol, label.at),
            Naming::Product(_) | Naming::Unknown => None,
        };
        let identity = match identity {
            Some(contract) => Identity::Contract(contract),
            None => Identity::Series { name: label.name.to_owned(), number: label.number },
        };
        if self.is_wanted(&identity, label.name) {
            return Verdict::Take(identity);
        }
        let name = identity.name("");
        if !self.others.contains(&name) {
            self.others.push(name);
        }
        Verdict::Unwanted
    }

    fn is_wanted(&self, identity: &Identity, name: &str) -> bool {
        match (&self.wanted, identity) {
            (None, _) => true,
            (Some((_, Naming::Contract(wanted))), Identity::Contract(contract)) => {
                wanted.may_mean(contract)
            }
            (Some((wanted, _)), _) => wanted.eq_ignore_ascii_case(name),
        }
    }

    /// The product that something so named is of, if that is not the instrument.
    fn foreign_product(&self, naming: &Naming) -> Option<String> {
        if let Naming::Contract(name) = naming
            && name.root() == self.symbol
        {
            return None;
        }
        naming.product().filter(|&product| product != self.symbol).map(str::to_owned)
    }
}

/// What a file's name says of its rows.
pub(super) fn file_naming(input: &str, symbol: &str) -> Naming {
    let name = Path::new(input).file_name().unwrap_or_default().to_string_lossy();
    Naming::of_file(&name, symbol)
}

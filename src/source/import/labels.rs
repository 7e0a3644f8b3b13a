//! Labels: the meaning for an import of the names that sources give to contracts.

use std::collections::HashMap;
use std::path::Path;

use super::importer::ImportError;
use super::report::Finding;
use super::row::Label;
use crate::market::{Contract, ContractName, Naming, Timestamp};

/// The contract to which rows belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ContractIdentity {
    /// The source does not say.
    Unnamed,
    /// One contract, with its full expiry.
    Contract(Contract),
    /// A name that is no contract's, such as a series that the source joined; each instrument
    /// number behind it is a contract of its own.
    Series { name: String, number: Option<u32> },
}

impl ContractIdentity {
    /// Returns its name in the output; `unnamed` is for what the source does not name.
    pub(super) fn name(&self, unnamed: &str) -> String {
        match self {
            ContractIdentity::Unnamed => unnamed.to_owned(),
            ContractIdentity::Contract(contract) => contract.to_string(),
            ContractIdentity::Series { name, number: Some(number) } => format!("{name}:{number}"),
            ContractIdentity::Series { name, number: None } => name.clone(),
        }
    }

    /// Returns the name as [`ContractIdentity::name`] does, where there is no other.
    pub(super) fn only_name(&self, unnamed: &str) -> String {
        match self {
            ContractIdentity::Series { name, .. } => name.clone(),
            _ => self.name(unnamed),
        }
    }

    pub(super) fn contract(&self) -> Option<&Contract> {
        match self {
            ContractIdentity::Contract(contract) => Some(contract),
            _ => None,
        }
    }
}

/// Contracts that were not asked for and that an error may name.
const NAMED: usize = 100;

/// The treatment of a label's rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Take(ContractIdentity),
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
    /// A product that is not the instrument's, with the first name of it.
    pub(super) foreign: Vec<(String, String)>,
}

impl Labels {
    pub(super) fn new(symbol: &str, wanted: Option<&str>) -> Labels {
        let mut labels = Labels {
            symbol: symbol.to_owned(),
            wanted: None,
            others: Vec::new(),
            foreign: Vec::new(),
        };
        labels.wanted = wanted.map(|wanted| (wanted.to_owned(), labels.naming(wanted)));
        labels
    }

    /// Returns the meaning of a symbol. The instrument's own is no contract, even if it reads as
    /// one: `HK50`.
    pub(super) fn naming(&self, name: &str) -> Naming {
        if name.trim().eq_ignore_ascii_case(&self.symbol) {
            return Naming::Unknown;
        }
        Naming::of_symbol(name)
    }

    /// Returns the contract that was asked for, if it is of another product.
    pub(super) fn foreign_wanted(&self) -> Option<(String, String)> {
        let (name, naming) = self.wanted.as_ref()?;
        Some((self.foreign_product(naming)?, name.clone()))
    }

    pub(super) fn judge(&mut self, label: Label<'_>) -> Verdict {
        self.judge_naming(&self.naming(label.name), label)
    }

    /// Judges the rows of a file that names no contract inside.
    pub(super) fn judge_file(&mut self, file: &str, naming: &Naming, at: Timestamp) -> Verdict {
        let label = Label { name: file, number: None, at };
        match naming {
            Naming::Contract(_) => match self.judge_naming(naming, label) {
                Verdict::Take(ContractIdentity::Series { .. }) => {
                    Verdict::Take(ContractIdentity::Unnamed)
                }
                verdict => verdict,
            },
            Naming::Product(_) if self.foreign_product(naming).is_some() => {
                self.judge_naming(naming, label)
            }
            _ => Verdict::Take(ContractIdentity::Unnamed),
        }
    }

    fn judge_naming(&mut self, naming: &Naming, label: Label<'_>) -> Verdict {
        if let Some(product) = self.foreign_product(naming) {
            if self.foreign.is_empty() {
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
            Some(contract) => ContractIdentity::Contract(contract),
            None => ContractIdentity::Series { name: label.name.to_owned(), number: label.number },
        };
        if self.is_wanted(&identity, label.name) {
            return Verdict::Take(identity);
        }
        let name = identity.name("");
        if self.others.len() < NAMED && !self.others.contains(&name) {
            self.others.push(name);
        }
        Verdict::Unwanted
    }

    fn is_wanted(&self, identity: &ContractIdentity, name: &str) -> bool {
        match (&self.wanted, identity) {
            (None, _) => true,
            (Some((_, Naming::Contract(wanted))), ContractIdentity::Contract(contract)) => {
                wanted.may_mean(contract)
            }
            (Some((wanted, _)), _) => wanted.eq_ignore_ascii_case(name),
        }
    }

    /// Returns the product of something of this name, if that is not the instrument.
    fn foreign_product(&self, naming: &Naming) -> Option<String> {
        if let Naming::Contract(name) = naming
            && name.root() == self.symbol
        {
            return None;
        }
        naming.product().filter(|&product| product != self.symbol).map(str::to_owned)
    }
}

/// The meaning of the names of all inputs: files, and members of archives.
pub(super) struct FileNames {
    symbol: String,
    namings: HashMap<String, Naming>,
    /// `true` if all name their contracts.
    are_contracts: bool,
    /// A name of a contract, and one of another.
    named: Vec<ContractName>,
}

impl FileNames {
    pub(super) fn new(symbol: &str) -> FileNames {
        let symbol = symbol.to_owned();
        FileNames { symbol, namings: HashMap::new(), are_contracts: true, named: Vec::new() }
    }

    /// Adds a file, or the members of an archive.
    pub(super) fn add(&mut self, path: &Path, members: &[String]) {
        let of_file = self.of_name(path);
        if members.is_empty() {
            self.insert(path.display().to_string(), of_file);
            return;
        }
        for member in members {
            // What the member does not say, the archive's name may.
            let naming = match (self.of_name(Path::new(member)), &of_file) {
                (Naming::Unknown, _) => of_file.clone(),
                (Naming::Product(product), Naming::Contract(_))
                    if of_file.product() == Some(product) =>
                {
                    of_file.clone()
                }
                (naming, _) => naming,
            };
            self.insert(format!("{}/{member}", path.display()), naming);
        }
    }

    /// Returns the part of an input's name that counts.
    ///
    /// # Errors
    /// It tells no contract, and others tell several: its rows are nobody's.
    pub(super) fn naming(&self, input: &str) -> Result<Naming, ImportError> {
        let naming = match self.namings.get(input) {
            Some(naming) => naming.clone(),
            None => self.of_name(Path::new(input)),
        };
        match (naming, &self.named[..]) {
            (naming @ Naming::Contract(_), [_, _]) => Ok(naming),
            // One name of a contract beside others is of something else.
            (Naming::Contract(_), _) if !self.are_contracts => Ok(Naming::Unknown),
            (Naming::Product(product), [_, _]) if product != self.symbol => {
                Ok(Naming::Product(product))
            }
            (Naming::Product(_) | Naming::Combination | Naming::Unknown, [one, other]) => {
                let named = [one.to_string(), other.to_string()];
                Err(ImportError::UnnamedContract { input: input.to_owned(), named })
            }
            (naming, _) => Ok(naming),
        }
    }

    fn insert(&mut self, input: String, naming: Naming) {
        match &naming {
            Naming::Contract(name) => {
                if self.named.len() < 2 && !self.named.iter().any(|known| known.may_be(name)) {
                    self.named.push(name.clone());
                }
            }
            _ => self.are_contracts = false,
        }
        self.namings.insert(input, naming);
    }

    fn of_name(&self, path: &Path) -> Naming {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Naming::of_file(&name, &self.symbol)
    }
}

//! Names that sources give to contracts: `ESZ23`, `ES 12-23`, `ES_202312`, `@ES#`, and many more.

use std::fmt;

use super::contract::MONTH_CODES;
use super::product::Product;
use super::{Calendar, Contract, Timestamp};

/// Years between a contract and its trades from which its name must mean something else: `HK50` is
/// no contract of 2050.
const FARTHEST: i16 = 15;

/// Words that sources put around a name and that say nothing of the contract.
const EXCHANGES: &[&str] = &[
    "CME", "XCME", "MINI", "DL", "CBOT", "XCBT", "COMEX", "XCEC", "NYMEX", "XNYM", "GLOBEX",
    "GLBX", "EUREX", "XEUR", "ICE", "CFE", "US", "F", "FUT",
];

const MONTH_NAMES: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

/// The longest symbol of a product that is told from a word.
const LONGEST_ROOT: usize = 5;

/// The meaning of a name that a source gives to its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Naming {
    /// One contract.
    Contract(ContractName),
    /// A known product, or a series of its contracts that the source has joined: `ES`, `@ES#`,
    /// `ES1!`, `ES=F`, `ES.c.0`. The exchange's symbol.
    Product(&'static str),
    /// A spread, a strategy or an option.
    Combination,
    /// Anything else.
    Unknown,
}

/// A contract as it is written: its year may have one digit or two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractName {
    root: String,
    month: u8,
    year: i16,
    /// Digits of the year.
    digits: usize,
}

impl ContractName {
    /// Returns the product, as the source calls it, in capitals.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Returns whether the year has one digit, so that the contract depends on when it traded.
    pub fn is_of_a_decade(&self) -> bool {
        self.digits == 1
    }

    /// Returns the contract of `product` that this means where it traded at `at`.
    ///
    /// A year of one digit is the first in which the contract had not expired: at the earliest in
    /// the month before `at`. Two digits mean the year nearest to `at`. `None` for a year that is
    /// farther from `at` than any contract is traded ahead.
    pub fn resolve(&self, product: &str, at: Timestamp) -> Option<Contract> {
        let now = Calendar::AlwaysOpen.session_at_or_after(at).trade_date;
        let year = match self.digits {
            1 => {
                let before = now.year() - i16::from(now.month() == 1);
                let month_before = if now.month() == 1 { 12 } else { now.month() - 1 };
                let first = before + i16::from(self.month < month_before as u8);
                first + (self.year - first).rem_euclid(10)
            }
            2 => {
                let last = now.year() + 50;
                last - (last - self.year).rem_euclid(100)
            }
            _ => self.year,
        };
        if self.digits == 2 && (year - now.year()).abs() > FARTHEST {
            return None;
        }
        Contract::from_year_month(product, year, self.month).ok()
    }

    /// Returns whether that contract may be written so, by any name of the product.
    pub fn may_mean(&self, contract: &Contract) -> bool {
        let cycle = 10i16.pow(self.digits as u32);
        self.month == contract.month() && self.year == contract.year() % cycle
    }

    /// Returns whether both may be one contract.
    pub(crate) fn may_be(&self, other: &ContractName) -> bool {
        let cycle = 10i16.pow(self.digits.min(other.digits) as u32);
        self.root == other.root
            && self.month == other.month
            && self.year % cycle == other.year % cycle
    }

    fn new(root: &str, month: u8, year: i16, digits: usize) -> Option<ContractName> {
        let root_is_good = (1..=LONGEST_ROOT).contains(&root.len())
            && root.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && root.bytes().any(|byte| byte.is_ascii_alphabetic());
        let year_is_good = digits < 4 || (1970..=2199).contains(&year);
        (root_is_good && year_is_good && (1..=12).contains(&month)).then(|| ContractName {
            root: root.to_owned(),
            month,
            year,
            digits,
        })
    }
}

impl fmt::Display for ContractName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = &MONTH_CODES[usize::from(self.month) - 1..usize::from(self.month)];
        write!(f, "{}{letter}{:0digits$}", self.root, self.year, digits = self.digits)
    }
}

impl Naming {
    /// Reads a symbol of a column or a feed, in any of the ways in which vendors write one.
    pub fn of_symbol(text: &str) -> Naming {
        let text = text.trim().to_ascii_uppercase();
        if !text.is_ascii() {
            return Naming::Unknown;
        }
        // `CME_MINI:ESZ2023` and `/ESZ23:XCME` name an exchange, `ES:BF H4-M4-U4` a strategy.
        let mut pieces = text.split(':').filter(|piece| !piece.split('_').all(is_exchange));
        let (Some(piece), None) = (pieces.next(), pieces.next()) else {
            return Naming::Combination;
        };
        read(&Words::new(piece))
    }

    /// Reads the name of a file, without its folder: a contract or product in it, if it is a known
    /// product's or `symbol`'s and the only one.
    pub fn of_file(name: &str, symbol: &str) -> Naming {
        let stem = strip_endings(name);
        let capitals = stem.to_ascii_uppercase();
        let is_known = |root: &str| root == symbol || Product::called(root).is_some();
        let words = Words::new(&capitals);
        if let Naming::Contract(name) = read(&words)
            && is_known(name.root())
            && !words.is_bar_length(&name)
            && !words.is_version(&name)
            && Product::called(name.root())
                .is_none_or(|product| name.digits < 4 || product.trades_in(name.month))
        {
            return Naming::Contract(name);
        }
        let mut contracts: Vec<ContractName> = words
            .0
            .iter()
            .filter_map(|word| coded(word.text))
            .filter(|c| is_known(&c.root))
            .collect();
        contracts.dedup();
        match contracts.len() {
            0 => {}
            1 => return Naming::Contract(contracts.remove(0)),
            _ => return Naming::Unknown,
        }
        // Small letters are a word of any language, unless they are all there is.
        let shown = if capitals.len() <= LONGEST_ROOT { &capitals } else { stem };
        let mut products: Vec<&'static str> =
            Words::new(shown).0.iter().filter_map(|word| product(word.text)).collect();
        products.dedup();
        match products[..] {
            [one] => Naming::Product(one),
            _ => Naming::Unknown,
        }
    }

    /// Returns the product's symbol, as the exchange or else the source has it.
    pub fn product(&self) -> Option<&str> {
        match self {
            Naming::Contract(name) => {
                Some(Product::called(name.root()).map_or(name.root(), |product| product.symbol))
            }
            Naming::Product(symbol) => Some(symbol),
            Naming::Combination | Naming::Unknown => None,
        }
    }
}

/// A word of a name, and what stands before it.
#[derive(Clone, Copy)]
struct Word<'t> {
    text: &'t str,
    after: char,
}

struct Words<'t>(Vec<Word<'t>>);

impl<'t> Words<'t> {
    fn new(text: &'t str) -> Words<'t> {
        let is_separator = |letter: char| !letter.is_ascii_alphanumeric() && letter != '!';
        let mut words = Vec::new();
        let mut after = ' ';
        for text in text.split_inclusive(is_separator) {
            let word = text.trim_end_matches(is_separator);
            if !word.is_empty() {
                words.push(Word { text: word, after });
            }
            if let Some(separator) = text.chars().next_back().filter(|&letter| is_separator(letter))
            {
                after = separator;
            }
        }
        Words(words)
    }

    /// Returns whether the month and year of a name are rather the length of bars: `ES_M5`,
    /// `NQ H4`.
    fn is_bar_length(&self, name: &ContractName) -> bool {
        let is_length = |word: &Word| {
            let minutes_or_hours = word.text.strip_prefix(['M', 'H']);
            let number = minutes_or_hours.and_then(|number| number.parse::<u8>().ok());
            matches!(number, Some(1..=6 | 8 | 10 | 12 | 15 | 20 | 30))
        };
        name.digits <= 2 && self.0.get(1).is_some_and(is_length)
    }

    /// Returns whether the month and year of a name are rather a version, a quarter or the like:
    /// `ES_v2`, `NQ_Q4`. A code apart from its root is a contract's if the product trades in that
    /// month, and either the year has two digits or the letter means nothing else; in another month
    /// it needs both.
    fn is_version(&self, name: &ContractName) -> bool {
        let root = self.0.iter().position(|word| word.text == name.root);
        let code = root.and_then(|root| self.0.get(root + 1));
        let is_code = code.is_some_and(|word| month_and_year_of(word.text).is_some());
        let trades = Product::called(&name.root).is_none_or(|known| known.trades_in(name.month));
        // Hours, minutes, quarter, version, and what stands for any number.
        let means_else = code.is_some_and(|word| {
            let letters = word.text.trim_matches(|letter: char| letter.is_ascii_digit());
            matches!(letters, "H" | "M" | "Q" | "V" | "X")
        });
        is_code
            && match (name.digits == 1, trades) {
                (true, true) | (false, false) => means_else,
                (true, false) => true,
                (false, true) => false,
            }
    }
}

/// Takes a name in capitals apart.
fn read(words: &Words) -> Naming {
    let mut words = &words.0[..];
    while let [first, _, ..] = words
        && is_exchange(first.text)
    {
        words = &words[1..];
    }
    let Some(first) = words.first() else { return Naming::Unknown };
    let rest = &words[1..];
    if let Some(name) = coded(first.text) {
        return if rest.iter().any(is_leg) { Naming::Combination } else { Naming::Contract(name) };
    }
    let is_number = |word: &Word, lengths: &[usize]| {
        lengths.contains(&word.text.len()) && word.text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let number = |word: &Word| word.text.parse::<i16>().unwrap_or(0);
    let root = first.text;
    let mut more = rest;
    let found = match rest {
        // `ES 12-23`, and not the date `ES 12-23-2023`.
        [month, year, ..]
            if is_number(month, &[2]) && is_number(year, &[2, 4]) && year.after == '-' =>
        {
            more = &rest[2..];
            ContractName::new(root, number(month) as u8, number(year), year.text.len())
        }
        // `ES DEC 23`.
        [month, year, ..] if named_month(month.text).is_some() && is_number(year, &[2, 4]) => {
            more = &rest[2..];
            let month = named_month(month.text).unwrap_or(0);
            ContractName::new(root, month, number(year), year.text.len())
        }
        // `ES 202312`, `ES_20231200`; with a `-` it may be any number.
        [whole, ..]
            if whole.after != '-'
                && (is_number(whole, &[6])
                    || is_number(whole, &[8]) && whole.text.ends_with("00")) =>
        {
            more = &rest[1..];
            let [year, month] = [&whole.text[..4], &whole.text[4..6]].map(str::parse::<i16>);
            ContractName::new(root, month.unwrap_or(0) as u8, year.unwrap_or(0), 4)
        }
        // `ES Z23`, `ES-2023Z`, `ES DEC23`.
        [month_and_year, ..] => {
            more = &rest[1..];
            month_and_year_of(month_and_year.text)
                .and_then(|(month, year, digits)| ContractName::new(root, month, year, digits))
        }
        [] => None,
    };
    if let Some(name) = found
        // A third number makes it a date.
        && !more.first().is_some_and(|word| is_number(word, &[1, 2, 4]))
    {
        return if more.iter().any(is_leg) { Naming::Combination } else { Naming::Contract(name) };
    }
    product(root).map_or(Naming::Unknown, Naming::Product)
}

/// Returns whether a word after a contract makes it a part of something else: `ESZ3-ESH4`,
/// `ESH4-M4`, `ESZ3 C4600`.
fn is_leg(word: &Word) -> bool {
    let strike = word.text.strip_prefix(['C', 'P']);
    coded(word.text).is_some()
        || word.after == '-' && month_and_year_of(word.text).is_some()
        || strike.is_some_and(|strike| strike.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Reads `ESZ3`, `ESZ23`, `ESZ2023`, `ESDEC23`, `ES2023Z`, `ES202312`.
fn coded(word: &str) -> Option<ContractName> {
    let whole = word.trim_end_matches(|letter: char| letter.is_ascii_digit());
    if let (root, [y, e, a, r, m, n]) = (whole, &word.as_bytes()[whole.len()..]) {
        let digits = |digits: &[&u8]| digits.iter().fold(0, |n, d| n * 10 + i16::from(**d - b'0'));
        return ContractName::new(root, digits(&[m, n]) as u8, digits(&[y, e, a, r]), 4);
    }
    // `NQ1` is the first contract of `NQ`, not one of `N`.
    let is_product = product(whole).is_some();
    (1..word.len()).filter(|&at| word.is_char_boundary(at)).find_map(|at| {
        let (root, rest) = word.split_at(at);
        if is_product && at < whole.len() && Product::called(root).is_none() {
            return None;
        }
        // A number before the year's digits belongs to the root, as the 2 of `M2KZ23` does.
        let by_year = rest.starts_with(|letter: char| letter.is_ascii_digit());
        if by_year && (rest.len() != 5 || root.ends_with(|letter: char| letter.is_ascii_digit())) {
            return None;
        }
        // `ESJAN24` is not a contract of `ESJA`, but `ESN24` is one of `ES`.
        let (month, year, digits) = month_and_year_of(rest)?;
        ContractName::new(root, month, year, digits)
    })
}

/// Reads `Z3`, `Z23`, `Z2023`, `DEC23`, `2023Z`.
fn month_and_year_of(word: &str) -> Option<(u8, i16, usize)> {
    let letters = word.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let (month, year) = if let Some(year) = word.strip_suffix(|letter| MONTH_CODES.contains(letter))
        && year.len() == 4
        && year.bytes().all(|byte| byte.is_ascii_digit())
    {
        (MONTH_CODES.find(&word[4..])? as u8 + 1, year)
    } else if letters.len() == 1 {
        (MONTH_CODES.find(letters)? as u8 + 1, &word[1..])
    } else {
        (named_month(letters)?, &word[letters.len()..])
    };
    let digits = year.len();
    matches!(digits, 1 | 2 | 4).then(|| Some((month, year.parse().ok()?, digits)))?
}

fn named_month(word: &str) -> Option<u8> {
    MONTH_NAMES.iter().position(|&name| name == word).map(|at| at as u8 + 1)
}

/// Returns the known product of `ES`, `ES1!` or `ES1`.
fn product(word: &str) -> Option<&'static str> {
    let word = word.trim_end_matches('!');
    let without_rank = word.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let known = Product::called(word).or_else(|| Product::called(without_rank))?;
    // Vendors' own symbols are too short for a word in passing.
    (known.symbol == word || known.symbol == without_rank).then_some(known.symbol)
}

fn is_exchange(word: &str) -> bool {
    EXCHANGES.contains(&word)
}

/// Returns a file's name without what tells its format.
fn strip_endings(name: &str) -> &str {
    const ENDINGS: [&str; 10] =
        [".gz", ".zst", ".zip", ".csv", ".txt", ".dbn", ".scid", ".dly", ".parquet", ".tsv"];
    let mut stem = name;
    while let Some(shorter) = ENDINGS.iter().find_map(|ending| {
        let at = stem.len().checked_sub(ending.len())?;
        stem.get(at..)?.eq_ignore_ascii_case(ending).then(|| &stem[..at])
    }) {
        stem = shorter;
    }
    stem
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn contract(naming: &Naming, near: &str) -> Option<String> {
        let Naming::Contract(name) = naming else { return None };
        let product = naming.product().unwrap();
        let contract = name.resolve(product, at(near))?;
        assert!(name.may_mean(&contract));
        Some(format!("{}-{}-{}", contract.product(), contract.year(), contract.month()))
    }

    fn symbol(text: &str) -> Option<String> {
        contract(&Naming::of_symbol(text), "2023-11-01T00:00:00Z")
    }

    fn file(text: &str) -> Option<String> {
        contract(&Naming::of_file(text, "ES"), "2023-11-01T00:00:00Z")
    }

    #[test]
    fn reads_a_contract_as_each_vendor_writes_it() {
        for text in [
            "ESZ3",
            "ESZ23",
            "ESZ2023",
            "esz23",
            "ES Z23",
            "ES Z3",
            "ES Z2023",
            "ES 12-23",
            "ES 12-2023",
            "ES_202312",
            "ES 202312",
            "ES202312",
            "ES_20231200",
            "@ESZ23",
            "/ESZ23",
            "/ESZ23:XCME",
            "CME:ESZ2023",
            "CME_MINI:ESZ2023",
            "CME_MINI_DL:ESZ2023",
            "F.US.EPZ23",
            "EPZ23",
            "ESZ23_FUT_CME",
            "ESZ23-CME",
            "ESZ23.CME",
            "ESZ3 Index",
            "ES DEC 23",
            "ES DEC23",
            "ESDEC23",
            "ES-2023Z",
            "ES2023Z",
            "ES_Z23",
            " ESZ3 ",
            "GLBX ESZ3",
        ] {
            assert_eq!(symbol(text).as_deref(), Some("ES-2023-12"), "{text}");
        }
        assert_eq!(symbol("6EH4").as_deref(), Some("6E-2024-3"));
        assert_eq!(symbol("M2KU24").as_deref(), Some("M2K-2024-9"));
        assert_eq!(symbol("M6EM4").as_deref(), Some("M6E-2024-6"));
        assert_eq!(symbol("GCQ24").as_deref(), Some("GC-2024-8"));
        assert_eq!(symbol("ESJAN24").as_deref(), Some("ES-2024-1"));
        assert_eq!(symbol("6E 03-24").as_deref(), Some("6E-2024-3"));
        assert_eq!(symbol("XYZ4").as_deref(), Some("XY-2024-12"));
    }

    #[test]
    fn a_year_of_one_digit_is_the_first_in_which_the_contract_lives() {
        let year = |text: &str, near| contract(&Naming::of_symbol(text), near).unwrap();
        assert_eq!(year("ESZ0", "2010-11-01T00:00:00Z"), "ES-2010-12");
        assert_eq!(year("ESZ0", "2010-12-31T23:59:59Z"), "ES-2010-12");
        assert_eq!(year("ESZ0", "2020-11-01T00:00:00Z"), "ES-2020-12");
        assert_eq!(year("ESZ0", "2011-03-01T00:00:00Z"), "ES-2020-12");
        // A row a few days after the end is late, not ten years early.
        assert_eq!(year("ESZ9", "2020-01-06T00:00:00Z"), "ES-2019-12");
        assert_eq!(year("ESZ9", "2020-02-01T00:00:00Z"), "ES-2029-12");
        assert_eq!(year("GCF0", "2020-03-01T00:00:00Z"), "GC-2030-1");
        assert_eq!(year("GCG0", "2020-03-31T00:00:00Z"), "GC-2020-2");
        assert_eq!(year("ESH4", "2013-12-31T00:00:00Z"), "ES-2014-3");
        assert_eq!(year("ESZ98", "2010-01-01T00:00:00Z"), "ES-1998-12");
        assert_eq!(symbol("HK50"), None);
    }

    #[test]
    fn tells_series_and_combinations_from_contracts() {
        for text in [
            "ES",
            "@ES",
            "@ES#",
            "@ES#C",
            "ES1!",
            "ES!",
            "ES=F",
            "ES.F",
            "ES.c.0",
            "ES.FUT",
            "ES ##-##",
            "ES1 Index",
            "&ES",
            "CME_MINI:ES1!",
        ] {
            assert_eq!(Naming::of_symbol(text), Naming::Product("ES"), "{text}");
        }
        assert_eq!(Naming::of_symbol("NQ1 Index"), Naming::Product("NQ"));
        for text in ["ESZ3-ESH4", "ESH4-M4", "ESZ3 C4600", "ES:BF H4-M4-U4", "UD:1V: VT 1"] {
            assert_eq!(Naming::of_symbol(text), Naming::Combination, "{text}");
        }
        for text in [
            "id-3",
            "id-202312",
            "US30",
            "NAS100",
            "SPY",
            "H4",
            "Z23",
            "13",
            "ÉSZ3",
            "E SZ3",
            "",
            "BTCUSDT",
            "ES 12-23-2023x",
        ] {
            assert!(symbol(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_files_name_counts_only_if_it_can_mean_nothing_else() {
        for text in [
            "ES 12-23.Last.txt",
            "ESZ23.csv.gz",
            "esz23.txt",
            "ESZ23_FUT_CME.scid",
            "glbx_ESZ3_trades.csv",
            "ES_202312.csv",
            "ESZ23_M1.csv",
            "ESZ23_2023.csv",
        ] {
            assert_eq!(file(text).as_deref(), Some("ES-2023-12"), "{text}");
        }
        assert_eq!(file("NQZ23.csv").as_deref(), Some("NQ-2023-12"));
        for text in [
            "ES_5m_2014-12_2021-12.csv.gz",
            "ES_M5.csv",
            "ES_H4.csv",
            "ES.csv",
            "es.csv",
            "CME_MINI_DL_ES1!, 5.csv",
            "ES_20231215.csv",
            "ES_12-23-2023.csv",
            "ES_202301.csv",
            "ES_v2.csv",
            "ES_Q3.csv",
            "ES_V22.csv",
            "es_x2.csv",
        ] {
            assert_eq!(Naming::of_file(text, "ES"), Naming::Product("ES"), "{text}");
        }
        for text in [
            "ticks.csv",
            "H4_down.csv",
            "G4.csv",
            "BATCH12.csv",
            "DATA_202312.csv",
            "a.csv",
            "ESZ23-ESH24.csv",
            "ES_NQ.csv",
            "history es.csv",
            "RUNZ3.txt",
        ] {
            assert_eq!(Naming::of_file(text, "ES"), Naming::Unknown, "{text}");
        }
        assert_eq!(Naming::of_file("NQ_5m_2024.csv.gz", "ES"), Naming::Product("NQ"));
        for text in ["NQ_Q4.csv", "NQ M3.csv", "NQ_K1.csv"] {
            assert_eq!(Naming::of_file(text, "ES"), Naming::Product("NQ"), "{text}");
        }
        // No bars, versions or quarters are called so.
        for text in ["ES Z3.csv", "ES_z3.txt.gz", "ES DEC3.csv"] {
            assert_eq!(file(text).as_deref(), Some("ES-2023-12"), "{text}");
        }
        assert_eq!(file("GC_F24.csv").as_deref(), Some("GC-2024-1"));
        assert_eq!(Naming::of_file("GC_V23.csv", "GC"), Naming::Product("GC"));
        assert_eq!(Naming::of_file("CL_v2.csv", "ES"), Naming::Product("CL"));
        for text in ["ES_Z23.csv", "CME_ES Z2023.csv", "ES DEC 23.csv"] {
            assert_eq!(file(text).as_deref(), Some("ES-2023-12"), "{text}");
        }
        // Metal trades in every month, and vendors write these months in two digits.
        assert!(matches!(Naming::of_file("GC 01-24.Last.txt", "GC"), Naming::Contract(_)));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[ -~éÉ]{0,20}") {
            let _ = (Naming::of_symbol(&text), Naming::of_file(&text, "ES"));
        }

        #[test]
        fn what_a_contract_prints_is_read_back(year in 2010i16..2060, month in 1u8..=12) {
            let contract = Contract::from_year_month("GC", year, month).unwrap();
            let Naming::Contract(name) = Naming::of_symbol(&contract.to_string()) else { panic!() };
            let at = contract.expiry(Calendar::ComexMetals);
            prop_assert_eq!(name.resolve("GC", at), Some(contract));
        }
    }
}

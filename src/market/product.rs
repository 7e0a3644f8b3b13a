//! Futures products that sources name: their months, and what else they are called.

/// Facts about a product beside its [`super::Instrument`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product {
    /// The exchange's symbol, such as `ES`.
    pub symbol: &'static str,
    /// Letters of the delivery months in which it trades in earnest; other months are listed but
    /// thin. A series rolls along these.
    pub months: &'static str,
    /// Names that vendors use instead.
    pub also: &'static [&'static str],
}

const QUARTERLY: &str = "HMUZ";
const MONTHLY: &str = "FGHJKMNQUVXZ";

/// From the exchanges' contract specifications; the months of metals and grains are those that
/// their volume keeps to.
const PRODUCTS: &[Product] = &[
    product("ES", QUARTERLY, &["EP"]),
    product("MES", QUARTERLY, &[]),
    product("NQ", QUARTERLY, &["ENQ"]),
    product("MNQ", QUARTERLY, &[]),
    product("YM", QUARTERLY, &[]),
    product("MYM", QUARTERLY, &[]),
    product("RTY", QUARTERLY, &["QR"]),
    product("M2K", QUARTERLY, &[]),
    product("EMD", QUARTERLY, &[]),
    product("NKD", QUARTERLY, &[]),
    product("GC", "GJMQZ", &["GCE", "QGC"]),
    product("MGC", "GJMQZ", &[]),
    product("QO", "GJMQZ", &[]),
    product("SI", "HKNUZ", &["SIE", "QSI"]),
    product("SIL", "HKNUZ", &[]),
    product("QI", "HKNUZ", &[]),
    product("HG", "HKNUZ", &["CPE", "QHG"]),
    product("MHG", "HKNUZ", &[]),
    product("PL", "FJNV", &["PLE"]),
    product("PA", QUARTERLY, &["PAE"]),
    product("6A", QUARTERLY, &["A6", "DA6"]),
    product("6B", QUARTERLY, &["B6", "BP6"]),
    product("6C", QUARTERLY, &["D6", "CA6"]),
    product("6E", QUARTERLY, &["E6", "EU6"]),
    product("6J", QUARTERLY, &["J6", "JY6"]),
    product("6M", QUARTERLY, &[]),
    product("6N", QUARTERLY, &["N6", "NE6"]),
    product("6S", QUARTERLY, &["S6", "SF6"]),
    product("M6A", QUARTERLY, &[]),
    product("M6B", QUARTERLY, &[]),
    product("M6E", QUARTERLY, &[]),
    product("E7", QUARTERLY, &[]),
    product("J7", QUARTERLY, &[]),
    product("BTC", MONTHLY, &[]),
    product("MBT", MONTHLY, &[]),
    product("ETH", MONTHLY, &[]),
    product("MET", MONTHLY, &[]),
    product("CL", MONTHLY, &["CLE", "QCL"]),
    product("MCL", MONTHLY, &[]),
    product("QM", MONTHLY, &[]),
    product("NG", MONTHLY, &["NGE", "QNG"]),
    product("RB", MONTHLY, &["RBE", "QRB"]),
    product("HO", MONTHLY, &["HOE", "QHO"]),
    product("BZ", MONTHLY, &[]),
    product("ZB", QUARTERLY, &["USA"]),
    product("UB", QUARTERLY, &["ULA"]),
    product("ZN", QUARTERLY, &["TYA"]),
    product("TN", QUARTERLY, &[]),
    product("ZF", QUARTERLY, &["FVA"]),
    product("ZT", QUARTERLY, &["TUA"]),
    product("ZC", "HKNUZ", &["ZCE"]),
    product("ZW", "HKNUZ", &["ZWA"]),
    product("KE", "HKNUZ", &["KWE"]),
    product("ZS", "FHKNQUX", &["ZSE"]),
    product("ZL", "FHKNQUVZ", &["ZLE"]),
    product("ZM", "FHKNQUVZ", &["ZME"]),
    product("LE", "GJMQVZ", &["GLE"]),
    product("HE", "GJKMNQVZ", &[]),
    product("GF", "FHJKQUVX", &[]),
    product("FDAX", QUARTERLY, &[]),
    product("FDXM", QUARTERLY, &[]),
    product("FESX", QUARTERLY, &[]),
    product("FGBL", QUARTERLY, &[]),
];

const fn product(
    symbol: &'static str,
    months: &'static str,
    also: &'static [&'static str],
) -> Product {
    Product { symbol, months, also }
}

impl Product {
    /// Returns the product that the exchange or a vendor calls `name`, in capitals.
    pub fn called(name: &str) -> Option<&'static Product> {
        PRODUCTS.iter().find(|known| known.symbol == name || known.also.contains(&name))
    }

    /// Returns whether contracts of that month (1 to 12) trade in earnest.
    pub fn trades_in(&self, month: u8) -> bool {
        let letter = MONTHLY.as_bytes().get(usize::from(month).wrapping_sub(1));
        letter.is_some_and(|letter| self.months.as_bytes().contains(letter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Instrument;

    #[test]
    fn every_name_means_one_product_and_every_built_in_instrument_has_one() {
        let mut names: Vec<&str> =
            PRODUCTS.iter().flat_map(|row| row.also.iter().copied().chain([row.symbol])).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for symbol in Instrument::built_in_symbols() {
            assert_eq!(Product::called(symbol).unwrap().symbol, symbol);
        }
        for row in PRODUCTS {
            assert!(!row.months.is_empty());
            assert!(
                row.months.bytes().is_sorted() && row.months.chars().all(|m| MONTHLY.contains(m))
            );
        }
    }

    #[test]
    fn gold_trades_in_five_months_and_the_euro_in_four() {
        let months = |name| {
            let product = Product::called(name).unwrap();
            (0..=13).filter(|&month| product.trades_in(month)).collect::<Vec<u8>>()
        };
        assert_eq!(months("GC"), [2, 4, 6, 8, 12]);
        assert_eq!(months("E6"), [3, 6, 9, 12]);
        assert_eq!(Product::called("EP").unwrap().symbol, "ES");
        assert_eq!(Product::called("ZZ"), None);
    }
}

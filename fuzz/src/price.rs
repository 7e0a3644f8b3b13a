use algospace_hft::market::Price;

/// Reads a price, prints it, and reads it again.
pub fn price(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(price) = text.parse::<Price>() {
        assert_eq!(price.to_string().parse(), Ok(price));
        let float: f64 = text.parse().expect("every price is a number");
        assert!((price.as_f64() - float).abs() <= float.abs() * 1e-15 + 1e-9);
    }
}

#![no_main]

use algospace_hft::market::Price;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(price) = text.parse::<Price>() {
        assert_eq!(price.to_string().parse(), Ok(price));
        let float: f64 = text.parse().expect("every price is a number");
        assert!((price.as_f64() - float).abs() <= float.abs() * 1e-15 + 1e-9);
    }
});

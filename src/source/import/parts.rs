//! Prices in parts of a point, as interest rate and grain futures are quoted.

use crate::market::Price;

/// Reads whole points and parts behind `'` or `-`: two digits are 32nds, a third one is what it
/// says of the next (`2` a quarter, `5` a half, `7` three quarters, `+` a half, the odd eighths cut
/// to one digit), and a single digit is eighths. `None` if the text is nothing of the kind.
///
/// `110'165` is 110 and 16.5 32nds; `110-17` 110 and 17 32nds; `452'6` 452 and six eighths.
pub(super) fn read(text: &[u8]) -> Option<Price> {
    let mark = text.iter().skip(1).position(|byte| matches!(byte, b'\'' | b'-'))? + 1;
    let (sign, whole) = match &text[..mark] {
        [b'-', whole @ ..] => (-1, whole),
        whole => (1, whole),
    };
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    if whole.is_empty() || whole.len() > 9 {
        return None;
    }
    let mut points = 0;
    for &byte in whole {
        points = points * 10 + digit(byte)?;
    }
    // In 256ths of a point: eighths of a 32nd.
    let parts = match text[mark + 1..] {
        [eighths] => digit(eighths).filter(|&eighths| eighths < 8)? * 32,
        [tens, ones, ref rest @ ..] => {
            let parts = digit(tens)? * 10 + digit(ones)?;
            let eighths = match rest {
                [] | [b'0'] => 0,
                [b'1'] => 1,
                [b'2'] => 2,
                [b'3'] => 3,
                [b'5' | b'+'] => 4,
                [b'6'] => 5,
                [b'7'] => 6,
                [b'8'] => 7,
                _ => return None,
            };
            if parts > 31 {
                return None;
            }
            parts * 8 + eighths
        }
        [] => return None,
    };
    Some(Price::from_units(sign * (points * Price::SCALE + parts * (Price::SCALE / 256))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_point_are_decimals() {
        for (text, decimal) in [
            ("110'165", "110.515625"),
            ("110-17", "110.53125"),
            ("110-165", "110.515625"),
            ("110'16+", "110.515625"),
            ("110'162", "110.5078125"),
            ("110'167", "110.5234375"),
            ("110'160", "110.5"),
            ("109'161", "109.50390625"),
            ("109'168", "109.52734375"),
            ("452'6", "452.75"),
            ("-3'4", "-3.5"),
            ("-0'16", "-0.5"),
        ] {
            assert_eq!(read(text.as_bytes()), Some(decimal.parse().unwrap()), "{text}");
        }
        for text in ["110'32", "110'164", "110'8", "110'", "'16", "110.5", "-5", "1-2-3", "1e-05"] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
    }
}

//! Text of unknown origin, such as a row of a file, made safe for a terminal.

use std::fmt::{self, Display, Write};

/// Shows a text with everything escaped that could move the cursor, colour, hide or reorder what is
/// shown: control characters but for tabs and line ends, and the marks that turn the direction of
/// writing. The form, `\u001b`, is also that of JSON.
pub(crate) fn printable(text: impl Display) -> impl Display {
    Printable(text)
}

struct Printable<T>(T);

impl<T: Display> Display for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escape(f), "{}", self.0)
    }
}

struct Escape<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Write for Escape<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            if is_hostile(letter) {
                write!(self.0, "\\u{:04x}", u32::from(letter))?;
            } else {
                self.0.write_char(letter)?;
            }
        }
        Ok(())
    }
}

fn is_hostile(letter: char) -> bool {
    match letter {
        '\n' | '\t' => false,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{61c}' | '\u{feff}' => true,
        letter => letter.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn escapes_what_moves_the_cursor_and_leaves_the_rest() {
        let hostile = "a\u{1b}[2Jb\u{202e}c\rd\u{9b}e\u{7}\tf\u{0}\n";
        let shown = printable(hostile).to_string();
        assert_eq!(shown, "a\\u001b[2Jb\\u202ec\\u000dd\\u009be\\u0007\tf\\u0000\n");
        let plain = "1 684,25 € → `x` 日本\n";
        assert_eq!(printable(plain).to_string(), plain);
        let json = serde_json::json!({ "name": "x\u{202e}y" });
        let shown: serde_json::Value = serde_json::from_str(&printable(&json).to_string()).unwrap();
        assert_eq!(shown, json);
    }
}

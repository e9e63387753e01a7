//! Text that others wrote, made plain: what acts on the place where it is shown, without being seen there, is shown instead.
//!
//! Names, tags, descriptions and documents in IAM are others' words. Printed as they are, they could end the line, the comment or the
//! cell that they stand in, colour or clear a terminal, or show a name in another order than it has.

use std::{borrow::Cow, fmt};

/// Whether a character acts instead of being seen: controls (C0, DEL, C1, U+0085 among them), separators of lines and paragraphs, marks of
/// direction, joiners and other characters without width, and what is no character (Unicode's categories Cc, Zl, Zp, and of Cf those that
/// change what people read).
#[must_use]
pub const fn is_hidden(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}'
        | '\u{7f}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{fffe}'..='\u{ffff}'
        | '\u{e0000}'..='\u{e007f}')
}

/// A text with its hidden characters written as Rust writes them: `\n`, `\t`, `\r`, `\u{85}`. A plain text stays as it is, so that made
/// plain twice is made plain once.
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    // Writing to a string can't fail.
    let _ = fmt::Write::write_str(&mut Plain(&mut shown), text);
    Cow::Owned(shown)
}

/// A writer through which nothing but plain text comes.
pub struct Plain<W>(pub W);

impl<W: fmt::Write> fmt::Write for Plain<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.split_inclusive(is_hidden) {
            match piece.char_indices().next_back() {
                Some((at, last)) if is_hidden(last) => {
                    self.0.write_str(&piece[..at])?;
                    write!(self.0, "{}", last.escape_default())?;
                }
                _ => self.0.write_str(piece)?,
            }
        }
        Ok(())
    }
}

/// JSON of the same meaning without hidden characters but the line breaks between its parts: within JSON they stand in strings alone, where
/// each may be written by its number (RFC 8259, section 7).
#[must_use]
pub fn plain_json(json: &str) -> Cow<'_, str> {
    let hidden = |c: char| c != '\n' && is_hidden(c);
    if !json.contains(hidden) {
        return Cow::Borrowed(json);
    }
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        if hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string can't fail.
                let _ = fmt::Write::write_fmt(&mut shown, format_args!("\\u{unit:04x}"));
            }
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_shown_and_what_is_seen_stays() {
        for (text, shown) in [
            ("a b/c: ü セグ \u{1f600} \\ \"", "a b/c: ü セグ \u{1f600} \\ \""),
            ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
            ("\u{1b}[2J\u{9b}1m\0", "\\u{1b}[2J\\u{9b}1m\\u{0}"),
            ("a\u{85}b\u{2028}c\u{2029}", "a\\u{85}b\\u{2028}c\\u{2029}"),
            (
                "\u{202e}\u{2066}\u{200f}\u{feff}",
                "\\u{202e}\\u{2066}\\u{200f}\\u{feff}",
            ),
        ] {
            assert_eq!(plain(text), shown);
            assert_eq!(plain(shown), shown, "once is enough");
        }
    }

    #[test]
    fn json_keeps_its_meaning() {
        let value = serde_json::json!({"a\u{2028}": "\u{85}\u{202e}\u{7f}\u{e0041}\n\\ü", "b": ["x"]});
        let json = serde_json::to_string_pretty(&value).unwrap();
        let shown = plain_json(&json);
        assert!(!shown.contains(|c| c != '\n' && is_hidden(c)), "{shown:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }

    /// What the Unicode standard calls control, format or separator, as far as the standard library knows it.
    #[test]
    fn no_control_is_forgotten() {
        for c in ('\0'..=char::MAX).filter(|c| c.is_control()) {
            assert!(is_hidden(c), "{c:?}");
        }
        // The bidirectional marks (Unicode Standard Annex 9, table 1).
        for c in
            "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}".chars()
        {
            assert!(is_hidden(c), "{c:?}");
        }
        assert!(!is_hidden(' ') && !is_hidden('\u{a0}') && !is_hidden('é') && !is_hidden('\u{3000}'));
    }
}

//! What all pages share: the frame, its style, and when they were made.
//!
//! A page is whole by itself: it loads nothing, runs nothing, and its policy (CSP) forbids both to whatever might get into it. It follows
//! the reader's colours, and prints.

use k8s_openapi::jiff::Timestamp;

/// The hash of the style, by which the policy lets in this style and no other (CSP, section "Hash Source").
pub(super) const STYLE_HASH: &str = "sha256-7wYYKJjxJZAk6RYXE3ysEX2kbmjpsdIc1zz4JSWct3s=";

/// When a page was made: who gets it later must know.
pub(super) fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn the_policy_lets_this_style_in() {
        let style = include_str!("page.css").trim_end_matches('\n');
        let hash = format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(style)));
        assert_eq!(STYLE_HASH, hash, "write this hash into STYLE_HASH");
    }

    /// Text that is marked as safe would be markup, whoever wrote it.
    #[test]
    fn no_template_lets_text_through_unescaped() {
        for template in [
            include_str!("frame.html"),
            include_str!("../audit/page.html"),
            include_str!("../plan/page.html"),
        ] {
            let expressions = template.split(['{', '}']).skip(1);
            for expression in expressions {
                assert!(
                    !expression.contains("safe") && !expression.contains("escape"),
                    "{expression}"
                );
            }
            for part in ["<script", "<link", "<img", "http://", "https://", "style=", "url("] {
                assert!(!template.contains(part), "{part}");
            }
        }
    }
}

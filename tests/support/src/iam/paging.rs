//! `Marker`, `MaxItems` and `IsTruncated`, alike for every list.

use super::params::Params;
use super::state::ApiError;
use super::xml::{element, wrap};

/// One page of a list.
pub(crate) struct Page {
    items: String,
    marker: Option<String>,
}

impl Page {
    /// The list in the element `name`, and where the next page is.
    pub(crate) fn xml(&self, name: &str) -> String {
        wrap(name, &self.items) + &self.end()
    }

    fn end(&self) -> String {
        self.marker.as_ref().map_or_else(
            || element("IsTruncated", "false"),
            |marker| element("IsTruncated", "true") + &element("Marker", marker),
        )
    }
}

/// A page of at most `page_size` items, or of `MaxItems` if that is less: IAM may always return
/// less than was asked for. `items` gives those after a key, sorted by it, with their XML.
pub(crate) fn page<I>(
    page_size: usize,
    params: &Params,
    items: impl FnOnce(Option<String>) -> I,
) -> Result<Page, ApiError>
where
    I: Iterator<Item = (String, String)>,
{
    let size = params.max_items()?.unwrap_or(100).min(page_size).max(1);
    let after = params.optional("Marker").map(from_marker).transpose()?;
    let mut xml = String::new();
    let mut last = None;
    for (n, (key, item)) in items(after).enumerate() {
        if n == size {
            return Ok(Page {
                items: xml,
                marker: last.as_deref().map(to_marker),
            });
        }
        xml += &item;
        last = Some(key);
    }
    Ok(Page {
        items: xml,
        marker: None,
    })
}

/// A marker is opaque to the caller: the last key in hexadecimal digits after a letter.
fn to_marker(key: &str) -> String {
    use std::fmt::Write as _;
    key.bytes().fold("m".to_owned(), |mut marker, byte| {
        let _ = write!(marker, "{byte:02x}");
        marker
    })
}

fn from_marker(marker: &str) -> Result<String, ApiError> {
    let decode = || {
        let digits = marker.strip_prefix('m')?;
        let bytes = (0..digits.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(digits.get(i..i + 2)?, 16).ok())
            .collect::<Option<Vec<u8>>>()?;
        String::from_utf8(bytes).ok()
    };
    decode().ok_or_else(|| ApiError::validation("Invalid Marker."))
}

//! Data URIs: images whole inside the page.

use std::cell::Cell;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::notebook::raw::Object;

/// The types of images that go into the page as they stand.
const IMAGES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];
pub(super) const SVG: &str = "image/svg+xml";

/// Whether it is one of the kinds of pixels that every browser shows.
pub(super) fn is_image(mime: &str) -> bool {
    IMAGES.contains(&mime)
}

/// The URI of base64 as a notebook holds it, perhaps in lines; `None` where anything else is in it.
///
/// Not decoded: that the alphabet is right is what keeps it inside its attribute.
pub(super) fn uri(mime: &str, base64: &str) -> Option<String> {
    let mut uri = format!("data:{mime};base64,");
    let start = uri.len();
    uri.extend(base64.chars().filter(|c| !c.is_ascii_whitespace()));
    let text = &uri[start..];
    let digits = text.trim_end_matches('=');
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let is_right = !digits.is_empty() && text.len() - digits.len() <= 2;
    (is_right && digits.bytes().all(is_digit)).then_some(uri)
}

/// The URI of a drawing. As an image it cannot run scripts or fetch anything.
pub(super) fn svg(text: &str) -> String {
    format!("data:{SVG};base64,{}", STANDARD.encode(text))
}

/// The files a Markdown cell carries: by name, in several types.
#[derive(Debug, Default)]
pub(super) struct Attachments {
    files: Object,
    /// How many bytes of them may still be shown: each may be, some times over, but not as often as a hostile text names it.
    left: Cell<usize>,
}

/// How often all attachments of a cell may be shown.
const TIMES: usize = 4;

impl Attachments {
    pub(super) fn of(files: Object) -> Self {
        Self {
            left: Cell::new(files.bytes() * TIMES),
            files,
        }
    }

    /// The URI of an attached image, by the percent-encoded name that Markdown gives it.
    pub(super) fn uri(&self, name: &str) -> Option<String> {
        let decoded = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
        let files = &self.files;
        let bundle = files.get(name).or_else(|| files.get(&decoded))?;
        self.left.set(self.left.get().checked_sub(bundle.len())?);
        let bundle = Object::parse(bundle).ok()?;
        bundle.iter().find_map(|(mime, text)| {
            let text = super::output::text(text)?;
            match mime {
                SVG if text.trim_start().starts_with('<') => Some(svg(&text)),
                _ if mime == SVG || is_image(mime) => uri(mime, &text),
                _ => None,
            }
        })
    }
}

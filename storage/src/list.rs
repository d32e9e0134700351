//! Pages of lists: newest first, with an opaque cursor.

use std::fmt::Display;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::error::{Error, Result};

/// The most items a page may have.
pub const MAX_LIMIT: u32 = 1000;

/// One page. JSON: `{"items": […], "next": "…" or null}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct List<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// The cursor of the page that follows; none after the last one.
    pub next: Option<String>,
}

/// Which page is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// How many items at most; 1 to [`MAX_LIMIT`].
    pub limit: u32,
    /// `next` of the page before.
    pub cursor: Option<String>,
}

impl Default for Page {
    fn default() -> Self {
        Self::first(100)
    }
}

impl Page {
    /// The newest `limit` items.
    pub fn first(limit: u32) -> Self {
        Self {
            limit,
            cursor: None,
        }
    }

    /// One more than fits: whether it exists tells whether a page follows.
    pub(crate) fn fetch(&self) -> i64 {
        i64::from(self.limit.clamp(1, MAX_LIMIT)) + 1
    }

    /// The key of the last item of the page before.
    pub(crate) fn after<K: FromStr>(&self) -> Result<Option<K>> {
        let Some(cursor) = &self.cursor else {
            return Ok(None);
        };
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
        let key = bytes.and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok());
        key.map(Some)
            .ok_or_else(|| Error::invalid("this is not a cursor of this list"))
    }
}

impl<T> List<T> {
    /// Makes the page of what was fetched for `page`.
    pub(crate) fn cut<K: Display>(mut items: Vec<T>, page: &Page, key: impl Fn(&T) -> K) -> Self {
        let room = usize::try_from(page.fetch() - 1).unwrap_or(usize::MAX);
        let more = items.len() > room;
        items.truncate(room);
        let next = if more {
            items
                .last()
                .map(|last| URL_SAFE_NO_PAD.encode(key(last).to_string()))
        } else {
            None
        };
        Self { items, next }
    }

    /// The same page of what `change` makes of its items.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> List<U> {
        List {
            items: self.items.into_iter().map(change).collect(),
            next: self.next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_leads_to_the_next_page() {
        let page = Page::first(2);
        let list = List::cut(vec![9, 8, 7], &page, |n| *n);
        assert_eq!(list.items, [9, 8]);
        let next = Page {
            limit: 2,
            cursor: list.next,
        };
        assert_eq!(next.after::<i64>().unwrap(), Some(8));
        assert_eq!(List::cut(vec![7], &next, |n| *n).next, None);
    }

    #[test]
    fn foreign_cursor_is_refused() {
        let page = Page {
            limit: 1,
            cursor: Some("%%".to_owned()),
        };
        assert!(matches!(page.after::<i64>(), Err(Error::Invalid(_))));
    }

    #[test]
    fn limit_stays_within_bounds() {
        assert_eq!(Page::first(0).fetch(), 2);
        assert_eq!(Page::first(u32::MAX).fetch(), 1001);
    }
}

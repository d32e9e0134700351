//! Cross-site request forgery. A server that we give its token to checks nothing of this itself, so every cookie-borne request is
//! judged here, by what browsers say of where it came from. It knows no credentials but their kind.

use http::{HeaderMap, HeaderValue, Method, header};

/// What a request is, as far as forgery goes.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) method: &'a Method,
    pub(super) headers: &'a HeaderMap,
    /// A WebSocket handshake.
    pub(super) upgrade: bool,
    /// A file of the workspace, which a page elsewhere could embed or open as a document (CVE-2023-40170).
    pub(super) file: bool,
    /// What follows the origin of the workspace, as browsers send it, in an address; `None` where it begins with another.
    pub(super) after_origin: &'a dyn Fn(&'a str) -> Option<&'a str>,
}

impl<'a> Attempt<'a> {
    fn after_origin(&self, address: &'a HeaderValue) -> Option<&'a str> {
        (self.after_origin)(address.to_str().ok()?)
    }
}

/// A request that a page elsewhere may have caused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Forged;

/// Judges a request that carries a cookie. Access tokens are shown on purpose and need no such check.
pub(super) fn check(attempt: &Attempt<'_>) -> Result<(), Forged> {
    let site = only(attempt.headers, "sec-fetch-site")?;
    let origin = only(attempt.headers, header::ORIGIN.as_str())?;
    let own_origin = origin.map(|origin| attempt.after_origin(origin) == Some(""));
    let own_site = site.map(|site| site == "same-origin");
    if attempt.upgrade {
        // Browsers always send Origin here; some leave Sec-Fetch-Site out.
        return verdict(own_origin == Some(true) && own_site != Some(false));
    }
    if !is_safe(attempt.method) {
        // Whatever is said must say "ours", and something must be said. The mode is not looked at: `no-cors` excuses nothing.
        let said = own_origin.is_some() || own_site.is_some();
        return verdict(said && own_origin != Some(false) && own_site != Some(false));
    }
    if own_origin == Some(false) {
        return Err(Forged);
    }
    match site {
        Some(site) if site == "same-origin" || site == "none" => Ok(()),
        // A link from elsewhere may open a page, never embed it, and never open one of the workspace's own files.
        Some(_) => verdict(!attempt.file && is_page_visit(attempt)),
        None if attempt.file && own_origin.is_none() => verdict(referer_is_ours(attempt)),
        None => Ok(()),
    }
}

/// Whether the method is one that changes nothing.
pub(super) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn verdict(fine: bool) -> Result<(), Forged> {
    if fine { Ok(()) } else { Err(Forged) }
}

fn is_page_visit(attempt: &Attempt<'_>) -> bool {
    let says = |name: &str, value: &str| {
        attempt
            .headers
            .get(name)
            .is_some_and(|found| found == value)
    };
    *attempt.method == Method::GET
        && says("sec-fetch-mode", "navigate")
        && says("sec-fetch-dest", "document")
}

fn referer_is_ours(attempt: &Attempt<'_>) -> bool {
    let Some(referer) = attempt.headers.get(header::REFERER) else {
        return false;
    };
    // What is beyond ASCII may be in a path, never in the origin.
    let all = referer.as_bytes();
    let ascii = all.iter().position(|byte| !byte.is_ascii());
    let start = std::str::from_utf8(&all[..ascii.unwrap_or(all.len())]).ok();
    let rest = start.and_then(|start| (attempt.after_origin)(start));
    rest.is_some_and(|rest| rest.starts_with('/') || (rest.is_empty() && ascii.is_none()))
}

/// The one value of a header; a second one is an attempt to confuse.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a HeaderValue>, Forged> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        Err(Forged)
    } else {
        Ok(first)
    }
}

#[cfg(test)]
mod tests;

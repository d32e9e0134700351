//! Cookies on their way through: ours never reach a workspace's server, and what it sets stays below its own path.

use http::HeaderValue;

/// The longest `Set-Cookie` that is passed on, in bytes; browsers drop longer ones.
const LONGEST: usize = 8 * 1024;

/// Whether a cookie's name is one of ours, in any spelling a browser or server could take for it.
fn is_ours(name: &[u8]) -> bool {
    let after = |prefix: &[u8]| {
        let (start, rest) = name.split_at_checked(prefix.len())?;
        start.eq_ignore_ascii_case(prefix).then_some(rest)
    };
    let ours = |name: &[u8]| {
        name.get(..6)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"cairn_"))
    };
    ours(name)
        || [&b"__host-"[..], b"__secure-", b"__http-", b"__host-http-"]
            .into_iter()
            .any(|prefix| after(prefix).is_some_and(ours))
}

/// The values of all cookies called `name`, in the order sent. A sibling origin may have tossed one, so there may be several.
pub(super) fn values<'a>(
    headers: impl Iterator<Item = &'a HeaderValue>,
    name: &'a str,
) -> impl Iterator<Item = &'a str> {
    headers
        .flat_map(|header| header.as_bytes().split(|byte| *byte == b';'))
        .filter_map(move |pair| pair.trim_ascii().strip_prefix(name.as_bytes()))
        .filter_map(|rest| rest.strip_prefix(b"="))
        .filter(|value| !value.is_empty() && value.len() <= 256)
        .filter_map(|value| std::str::from_utf8(value).ok())
        .take(4)
}

/// Writes a `Cookie` field without our cookies; nothing where none is left.
pub(super) fn write_without_ours(header: &HeaderValue, line: &mut Vec<u8>) {
    let mut before = &b"cookie: "[..];
    for pair in header.as_bytes().split(|byte| *byte == b';') {
        let pair = pair.trim_ascii();
        let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
        if pair.is_empty() || is_ours(name.trim_ascii()) {
            continue;
        }
        line.extend_from_slice(before);
        line.extend_from_slice(pair);
        before = b"; ";
    }
    if before == b"; " {
        line.extend_from_slice(b"\r\n");
    }
}

/// A workspace's `Set-Cookie` kept below `base` (`/w/{id}/`): no `Domain`, a path of its own, and none of our names. `None` where it
/// must not be set at all.
pub(super) fn confined(header: &HeaderValue, base: &str) -> Option<HeaderValue> {
    let bytes = header.as_bytes();
    if bytes.len() > LONGEST {
        return None;
    }
    let mut parts = bytes.split(|byte| *byte == b';');
    let pair = parts.next()?.trim_ascii();
    let equals = pair.iter().position(|byte| *byte == b'=')?;
    let name = pair[..equals].trim_ascii();
    // A cookie without a name is sent back as its bare value, which could then read `cairn_workspace=…`. `__Host-` demands the
    // path `/`, which no workspace may set.
    if name.is_empty() || is_ours(name) || name.to_ascii_lowercase().starts_with(b"__host-") {
        return None;
    }
    let mut kept = pair.to_vec();
    let mut path = base.as_bytes();
    for part in parts {
        let part = part.trim_ascii();
        let mut halves = part.splitn(2, |byte| *byte == b'=');
        let key = halves.next().unwrap_or_default().trim_ascii();
        let value = halves.next().unwrap_or_default().trim_ascii();
        if key.eq_ignore_ascii_case(b"domain") || key.is_empty() {
            continue;
        }
        if key.eq_ignore_ascii_case(b"path") {
            path = if value.starts_with(base.as_bytes()) {
                value
            } else {
                base.as_bytes()
            };
            continue;
        }
        kept.extend_from_slice(b"; ");
        kept.extend_from_slice(part);
    }
    kept.extend_from_slice(b"; Path=");
    kept.extend_from_slice(path);
    HeaderValue::from_bytes(&kept).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(cookie: &str) -> Option<String> {
        let mut line = Vec::new();
        write_without_ours(&cookie.parse().unwrap(), &mut line);
        let line = String::from_utf8(line).unwrap();
        (!line.is_empty()).then(|| {
            let value = line.strip_prefix("cookie: ").unwrap();
            value.strip_suffix("\r\n").unwrap().to_owned()
        })
    }

    fn set(cookie: &str) -> Option<String> {
        confined(&cookie.parse().unwrap(), "/w/1/").map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn our_cookies_are_taken_out_in_every_spelling() {
        assert_eq!(
            cleaned("a=1; cairn_session=x; _xsrf=2; __Host-cairn_session=y; CAIRN_workspace=z;__Secure-cairn_workspace = q;__Host-Http-cairn_x=1;b=3").as_deref(),
            Some("a=1; _xsrf=2; b=3")
        );
        assert_eq!(cleaned("cairn_workspace=x"), None);
        assert_eq!(cleaned("cairn_workspace"), None);
        assert_eq!(cleaned("a; b=\"x y\"").as_deref(), Some("a; b=\"x y\""));
    }

    #[test]
    fn values_of_duplicates_are_all_seen() {
        let header = HeaderValue::from_static("c=1; c=2; d=3; c=; c=4");
        let values: Vec<_> = values([&header].into_iter(), "c").collect();
        assert_eq!(values, ["1", "2", "4"]);
    }

    #[test]
    fn another_cookie_may_have_bytes_beyond_ascii() {
        let header = HeaderValue::from_bytes("name=Jörg; c=1; c=ü".as_bytes()).unwrap();
        let values: Vec<_> = values([&header].into_iter(), "c").collect();
        assert_eq!(values, ["1", "ü"]);
    }

    #[test]
    fn a_set_cookie_stays_below_its_workspace() {
        assert_eq!(
            set("a=1; Path=/; HttpOnly").as_deref(),
            Some("a=1; HttpOnly; Path=/w/1/")
        );
        assert_eq!(
            set("a=1; Domain=.example.org; path=/w/1/lab").as_deref(),
            Some("a=1; Path=/w/1/lab")
        );
        assert_eq!(
            set("a=1; Path=/w/1/x; Path=/").as_deref(),
            Some("a=1; Path=/w/1/")
        );
        assert_eq!(set("a=1; Path=/w/10/").as_deref(), Some("a=1; Path=/w/1/"));
        assert_eq!(set("a=1").as_deref(), Some("a=1; Path=/w/1/"));
    }

    #[test]
    fn a_set_cookie_never_takes_our_names() {
        for cookie in [
            "cairn_session=1",
            "Cairn_Workspace=1",
            "__Host-cairn_session=1; Path=/; Secure",
            "__Secure-cairn_x=1",
            "=cairn_session=1",
            "cairn_session",
            "__host-x=1; Path=/; Secure",
            " =x",
        ] {
            assert_eq!(set(cookie), None, "{cookie}");
        }
    }
}

//! Our cookies: reading them from a request and writing them in a response.

use http::{HeaderMap, HeaderValue, header};

use crate::Config;

/// The values of all cookies called `name`, in the order sent. More than one means that somebody tossed one at us.
pub fn values<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        // One by one: others may have bytes beyond ASCII.
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b';'))
        .filter_map(|pair| std::str::from_utf8(pair.trim_ascii()).ok()?.split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value)
        .collect()
}

/// The only value of the cookie `name`. Two different values are no value: a sibling origin may have set one of them.
pub fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let values = values(headers, name);
    let first = values.first()?;
    values.iter().all(|value| value == first).then_some(first)
}

/// `Set-Cookie` for a new session of the app, which ends by itself after `max_age_s`.
pub fn set_session(config: &Config, secret: &str, max_age_s: u64) -> HeaderValue {
    set(config, config.session_cookie(), secret, "/", max_age_s)
}

/// `Set-Cookie` that makes the browser forget the app's session.
pub fn clear_session(config: &Config) -> HeaderValue {
    set(config, config.session_cookie(), "", "/", 0)
}

/// `Set-Cookie` for the origin of a workspace; `path` is the workspace's base.
pub fn set_workspace(config: &Config, secret: &str, path: &str, max_age_s: u64) -> HeaderValue {
    set(config, config.workspace_cookie(), secret, path, max_age_s)
}

fn set(config: &Config, name: &str, value: &str, path: &str, max_age_s: u64) -> HeaderValue {
    let secure = if config.is_secure() { "; Secure" } else { "" };
    let line =
        format!("{name}={value}; Path={path}; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(line)
        .expect("names, base64url secrets and our own paths are visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&'static str]) -> HeaderMap {
        lines
            .iter()
            .map(|line| (header::COOKIE, HeaderValue::from_static(line)))
            .collect()
    }

    #[test]
    fn a_cookie_is_found_by_its_exact_name() {
        let headers = headers(&["a=1; xcairn_session=no", "cairn_session=yes; b"]);
        assert_eq!(single(&headers, "cairn_session"), Some("yes"));
        assert_eq!(single(&headers, "session"), None);
    }

    #[test]
    fn another_cookie_may_have_bytes_beyond_ascii() {
        let mut headers = HeaderMap::new();
        let line = HeaderValue::from_bytes(b"name=J\xf6rg; cairn_session=yes");
        headers.append(header::COOKIE, line.unwrap());
        assert_eq!(single(&headers, "cairn_session"), Some("yes"));
    }

    #[test]
    fn a_tossed_second_cookie_makes_both_worthless() {
        let tossed = headers(&["cairn_session=evil; cairn_session=mine"]);
        assert_eq!(single(&tossed, "cairn_session"), None);
        let same = headers(&["cairn_session=mine", "cairn_session=mine"]);
        assert_eq!(single(&same, "cairn_session"), Some("mine"));
    }

    #[test]
    fn https_gets_a_host_cookie_and_loopback_a_plain_one() {
        let address = "127.0.0.1:8000".parse().unwrap();
        let plain = Config::new("http://localhost:8000".parse().unwrap(), address);
        assert_eq!(
            set_session(&plain, "s", 60),
            "cairn_session=s; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"
        );
        let secure = Config::new("https://c.example.org".parse().unwrap(), address);
        assert_eq!(
            set_session(&secure, "s", 60),
            "__Host-cairn_session=s; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"
        );
    }
}

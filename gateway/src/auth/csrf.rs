//! Cross-site forgery: may a request that a browser sends with our cookie change something?

use http::{HeaderMap, Method, header};

use crate::Config;

/// Whether a cookie may stand for its owner in this request.
///
/// Reading is always allowed (answers cannot be read across origins). A method that changes something needs proof that a page
/// of the app sent it: a matching `Origin`, or where the browser sent none, `Sec-Fetch-Site: same-origin`. `Sec-Fetch-Site` can
/// only take away: `cross-site`, `same-site` and `none` are refused whatever `Origin` says. `Sec-Fetch-Mode` is no proof of anything.
///
/// Source: jupyterhub CVE-2026-40864 (`no-cors` taken for same-origin); fetch metadata specification, `Sec-Fetch-Site`.
pub fn allows(method: &Method, headers: &HeaderMap, config: &Config) -> bool {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return true;
    }
    is_same_origin(headers, config)
}

/// Whether a page of the app sent this request, by what the browser says. No statement at all is no proof.
pub fn is_same_origin(headers: &HeaderMap, config: &Config) -> bool {
    let sites: Vec<_> = headers.get_all("sec-fetch-site").iter().collect();
    let site_agrees = sites.iter().all(|site| *site == "same-origin");
    let origins: Vec<_> = headers.get_all(header::ORIGIN).iter().collect();
    match origins.as_slice() {
        [] => !sites.is_empty() && site_agrees,
        [sent] => config.is_app_origin(sent.as_bytes()) && site_agrees,
        _ => false,
    }
}

/// Whether a request may sign in, which sets our cookie: from a page of the app, or from a program that is no browser.
///
/// Without this another site could sign a person in as somebody else.
pub fn may_sign_in(headers: &HeaderMap, config: &Config) -> bool {
    let is_browser = headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site");
    !is_browser || is_same_origin(headers, config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    const APP: &str = "http://localhost:8000";

    fn config() -> Config {
        Config::new(APP.parse().unwrap(), "127.0.0.1:8000".parse().unwrap())
    }

    fn post(pairs: &[(&'static str, &'static str)]) -> bool {
        let headers = pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect();
        allows(&Method::POST, &headers, &config())
    }

    #[test]
    fn only_the_exact_origin_may_change_something() {
        assert!(post(&[("origin", APP)]));
        for origin in [
            "null",
            "",
            "https://localhost:8000",
            "http://localhost",
            "http://localhost:80000",
            "http://localhost:8000.evil.org",
            "http://evil.localhost:8000",
            "http://LOCALHOST:8000",
            "http://localhost:8000/",
            "http://0192f0c1-aaaa-7bbb-8ccc-000000000001.localhost:8000",
        ] {
            let headers = [(header::ORIGIN, HeaderValue::from_static(origin))];
            assert!(
                !allows(&Method::POST, &headers.into_iter().collect(), &config()),
                "{origin}"
            );
        }
        assert!(!post(&[("origin", APP), ("origin", "http://evil.org")]));
    }

    #[test]
    fn fetch_metadata_can_replace_a_missing_origin_but_never_outvote_it() {
        assert!(post(&[("sec-fetch-site", "same-origin")]));
        assert!(post(&[("sec-fetch-site", "same-origin"), ("origin", APP)]));
        for site in [
            "cross-site",
            "same-site",
            "none",
            "",
            "SAME-ORIGIN",
            "same-origin, cross-site",
        ] {
            for mode in ["cors", "no-cors", "navigate", "websocket", "same-origin"] {
                for origin in [None, Some(APP)] {
                    let mut headers = HeaderMap::new();
                    headers.append("sec-fetch-site", site.parse().unwrap());
                    headers.append("sec-fetch-mode", mode.parse().unwrap());
                    if let Some(origin) = origin {
                        headers.append("origin", origin.parse().unwrap());
                    }
                    assert!(
                        !allows(&Method::DELETE, &headers, &config()),
                        "{site} {mode} {origin:?}"
                    );
                }
            }
        }
        assert!(!post(&[
            ("sec-fetch-site", "same-origin"),
            ("origin", "http://evil.org")
        ]));
        assert!(!post(&[("sec-fetch-mode", "same-origin")]));
    }

    #[test]
    fn saying_nothing_proves_nothing() {
        assert!(!post(&[]));
        for method in [Method::PUT, Method::PATCH, Method::DELETE] {
            assert!(!allows(&method, &HeaderMap::new(), &config()));
        }
        assert!(allows(&Method::GET, &HeaderMap::new(), &config()));
    }
}

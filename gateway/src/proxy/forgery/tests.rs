use super::*;

const OURS: &str = "http://a.localhost:8000";

fn judge(method: &Method, upgrade: bool, file: bool, pairs: &[(&'static str, &str)]) -> bool {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    check(&Attempt {
        method,
        headers: &headers,
        upgrade,
        file,
        after_origin: &|address| address.strip_prefix(OURS),
    })
    .is_ok()
}

/// Case 13: the matrix of origins.
#[test]
fn only_our_exact_origin_changes_anything() {
    for origin in [
        "null",
        "https://a.localhost:8000",
        "http://a.localhost",
        "http://a.localhost:80000",
        "http://a.localhost:8000.evil.com",
        "http://xa.localhost:8000",
        "http://b.localhost:8000",
        "http://localhost:8000",
        "http://A.localhost:8000",
        "http://a.localhost:8000/",
        "",
        "*",
    ] {
        for method in [
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::from_bytes(b"MKCOL").unwrap(),
        ] {
            assert!(
                !judge(&method, false, false, &[("origin", origin)]),
                "{method} {origin}"
            );
            let claimed = [("origin", origin), ("sec-fetch-site", "same-origin")];
            assert!(!judge(&method, false, false, &claimed), "{method} {origin}");
        }
        assert!(
            !judge(&Method::GET, true, false, &[("origin", origin)]),
            "upgrade {origin}"
        );
        assert!(
            !judge(&Method::GET, false, true, &[("origin", origin)]),
            "file {origin}"
        );
    }
    assert!(judge(&Method::POST, false, false, &[("origin", OURS)]));
    assert!(judge(&Method::GET, true, false, &[("origin", OURS)]));
    assert!(!judge(&Method::GET, true, false, &[]));
    assert!(!judge(&Method::POST, false, false, &[]));
    assert!(!judge(
        &Method::POST,
        false,
        false,
        &[("origin", OURS), ("origin", "http://evil")]
    ));
}

/// Case 14: every combination of mode and site, on what changes state.
#[test]
fn no_fetch_mode_excuses_a_site_that_is_not_ours() {
    for mode in [
        "no-cors",
        "navigate",
        "websocket",
        "cors",
        "same-origin",
        "",
    ] {
        for site in ["cross-site", "same-site", "none", "", "Same-Origin"] {
            let claimed = [("sec-fetch-mode", mode), ("sec-fetch-site", site)];
            assert!(
                !judge(&Method::POST, false, false, &claimed),
                "{mode} {site}"
            );
            let with_origin = [
                ("sec-fetch-mode", mode),
                ("sec-fetch-site", site),
                ("origin", OURS),
            ];
            assert!(
                !judge(&Method::POST, false, false, &with_origin),
                "{mode} {site}"
            );
            assert!(
                !judge(&Method::GET, true, false, &with_origin),
                "upgrade {mode} {site}"
            );
        }
        let own = [("sec-fetch-mode", mode), ("sec-fetch-site", "same-origin")];
        assert!(judge(&Method::POST, false, false, &own), "{mode}");
    }
}

#[test]
fn a_link_from_elsewhere_opens_pages_only() {
    let visit = [
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
        ("sec-fetch-site", "cross-site"),
    ];
    assert!(judge(&Method::GET, false, false, &visit));
    assert!(!judge(&Method::GET, false, true, &visit));
    for (mode, dest) in [
        ("no-cors", "script"),
        ("no-cors", "image"),
        ("navigate", "iframe"),
        ("navigate", "embed"),
        ("cors", "empty"),
    ] {
        let embed = [
            ("sec-fetch-mode", mode),
            ("sec-fetch-dest", dest),
            ("sec-fetch-site", "same-site"),
        ];
        assert!(!judge(&Method::GET, false, false, &embed), "{mode} {dest}");
    }
}

#[test]
fn a_file_needs_a_page_of_its_own_or_the_address_bar() {
    assert!(judge(
        &Method::GET,
        false,
        true,
        &[("sec-fetch-site", "none")]
    ));
    assert!(judge(
        &Method::GET,
        false,
        true,
        &[("sec-fetch-site", "same-origin")]
    ));
    assert!(judge(
        &Method::GET,
        false,
        true,
        &[("referer", "http://a.localhost:8000/w/1/lab")]
    ));
    assert!(!judge(
        &Method::GET,
        false,
        true,
        &[("referer", "http://a.localhost:8000.evil/")]
    ));
    assert!(!judge(&Method::GET, false, true, &[]));
    assert!(judge(&Method::GET, false, false, &[]));
}

#[test]
fn a_page_of_ours_may_have_an_address_beyond_ascii() {
    for (referer, is_ours) in [
        ("http://a.localhost:8000/w/1/ü", true),
        ("http://a.localhost:8000ü", false),
        ("http://a.localhost:8000ü/w/1/", false),
    ] {
        let said = [("referer", referer)];
        assert_eq!(
            judge(&Method::GET, false, true, &said),
            is_ours,
            "{referer}"
        );
    }
}

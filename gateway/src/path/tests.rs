use super::*;

const ID: &str = "01939d4e-8a3b-7c11-9d2e-0123456789ab";

fn rest(path: &str) -> Option<String> {
    match read(path) {
        Ok(Target::Workspace(found)) => {
            assert_eq!(found.workspace.to_string(), ID);
            found.rest
        }
        other => panic!("{path}: {other:?}"),
    }
}

#[test]
fn plain_paths_are_read() {
    assert_eq!(rest(&format!("/w/{ID}")), None);
    assert_eq!(rest(&format!("/w/{ID}/")).as_deref(), Some(""));
    assert_eq!(
        rest(&format!("/w/{ID}/lab/tree/a%20b")).as_deref(),
        Some("lab/tree/a b")
    );
    assert_eq!(
        rest(&format!("/w/{ID}/api/contents/%C3%A9")).as_deref(),
        Some("api/contents/é")
    );
    assert_eq!(
        rest(&format!("/w/{ID}/proxy/8080//x")).as_deref(),
        Some("proxy/8080/x")
    );
    assert_eq!(read("/api/v1/info"), Ok(Target::Other));
    assert_eq!(read("/"), Ok(Target::Other));
    assert_eq!(read("/w"), Ok(Target::Other));
}

#[test]
fn decisions_see_through_encoding() {
    let Ok(Target::Workspace(path)) = read(&format!("/w/{ID}/%66iles//x")) else {
        panic!("a workspace path");
    };
    assert!(path.is_below("files"));
    assert!(!path.is_below("file"));
}

#[test]
fn ambiguous_paths_are_refused() {
    for path in [
        format!("/w/{ID}/../b/"),
        format!("/w/{ID}/%2e%2e/b"),
        format!("/w/{ID}/.%2E/b"),
        format!("/w/{ID}/a%2f..%2fb"),
        format!("/w/{ID}/a%5c..%5cb"),
        format!("/w/{ID}/a\\b"),
        format!("/w/{ID}/..;x/b"),
        format!("/w/{ID}/./b"),
        format!("//w/{ID}/"),
        format!("/w//{ID}/"),
        format!("/%77/{ID}/"),
        format!("/w/%30{}/", &ID[1..]),
        format!("/w%2f{ID}/"),
        format!("/w/{ID}%2fapi"),
        "/x/../w/".to_owned(),
    ] {
        assert!(
            read(&path).is_err() || read(&path) == Ok(Target::Other),
            "{path}: {:?}",
            read(&path)
        );
        assert!(!matches!(read(&path), Ok(Target::Workspace(_))), "{path}");
    }
}

#[test]
fn malformed_encoding_is_refused() {
    for tail in [
        "%",
        "%4",
        "%zz",
        "%c0%ae",
        "%ff",
        "%ed%a0%80",
        "%f8%88%80%80%80",
    ] {
        assert_eq!(
            read(&format!("/w/{ID}/{tail}")),
            Err(Error::Encoding),
            "{tail}"
        );
    }
    for tail in ["%00", "%0d%0a", "%7f", "%1b", "%c2%85"] {
        assert_eq!(
            read(&format!("/w/{ID}/{tail}")),
            Err(Error::Control),
            "{tail}"
        );
    }
    assert_eq!(read(&format!("/w/{ID}/é")), Err(Error::Malformed));
    assert_eq!(read("w/"), Err(Error::Malformed));
    assert_eq!(
        read(&format!("/{}", "a".repeat(LONGEST))),
        Err(Error::Malformed)
    );
}

#[test]
fn an_id_is_never_a_prefix_of_another() {
    for id in [
        &ID[..35],
        &format!("{ID}0"),
        &ID.to_uppercase(),
        &format!("{ID};x"),
        "",
        "a",
    ] {
        assert_eq!(
            read(&format!("/w/{id}/api")),
            Err(Error::NoWorkspace),
            "{id}"
        );
    }
}

/// Random paths made of the pieces that confuse servers: whatever is accepted means the same when it is read again decoded.
#[test]
fn random_paths_are_never_read_in_two_ways() {
    const PIECES: [&str; 22] = [
        "/", "//", ".", "..", "%2e", "%2E%2e", "%2f", "%5c", "\\", ";", ";x=1", "%00", "%", "%25",
        "%252e", "w", "%77", "api", "files", "%c0%af", "~", "é",
    ];
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed >> 33).unwrap()
    };
    let mut accepted = 0;
    for _ in 0..200_000 {
        let mut path = if next() % 2 == 0 {
            format!("/w/{ID}/")
        } else {
            "/".to_owned()
        };
        for _ in 0..next() % 8 {
            let piece = PIECES[next() % PIECES.len()];
            path.push_str(piece);
            if next() % 5 == 0 {
                path.push_str(ID);
            }
        }
        if let Ok(Target::Workspace(found)) = read(&path) {
            accepted += 1;
            assert!(path.starts_with(&format!("/w/{ID}")), "{path}");
            for segment in found.rest.unwrap_or_default().split(['/', '\\']) {
                assert!(segment != ".." && segment != ".", "{path}");
            }
        }
    }
    assert!(accepted > 1000, "{accepted}");
}

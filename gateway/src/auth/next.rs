//! Where a browser may be sent after signing in or entering a workspace: a path of the same origin, nothing else.

/// `next` if it is a path of this origin that begins with `prefix`, in the form in which it may go into `Location`.
///
/// Refused: anything that a browser could read as another origin (`//e`, `/\e`, `https:e`, `javascript:`), control characters,
/// white space, and dot segments in any spelling, which could leave the prefix.
///
/// Source: `jupyterhub` CVE-2019-10255, CVE-2026-33709; `jupyter_server` CVE-2020-26232, CVE-2023-39968.
pub fn local_path<'a>(next: &'a str, prefix: &str) -> Option<&'a str> {
    let path_end = next.find(['?', '#']).unwrap_or(next.len());
    let path = &next[..path_end];
    let sound = next.len() <= 2048
        && next.starts_with('/')
        && next.is_ascii()
        && path.starts_with(prefix)
        && !next
            .bytes()
            .any(|byte| byte <= b' ' || byte == 0x7f || matches!(byte, b'\\' | b'"' | b'<' | b'>'))
        && !path.contains("//")
        && percent_decodes_clean(path);
    sound.then_some(next)
}

/// Whether no percent escape of the path hides a separator, a dot segment or a control character, and none is broken.
fn percent_decodes_clean(path: &str) -> bool {
    let Some(decoded) = decode(path) else {
        return false;
    };
    let segments = decoded.split(|&byte| byte == b'/');
    let hides = segments.count() != path.split('/').count();
    !hides
        && !decoded
            .iter()
            .any(|&byte| byte < b' ' || byte == 0x7f || byte == b'\\')
        && !decoded
            .split(|&byte| byte == b'/')
            .any(|segment| segment == b"." || segment == b"..")
}

fn decode(path: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let high = char::from(bytes.next()?).to_digit(16)?;
        let low = char::from(bytes.next()?).to_digit(16)?;
        decoded.push(u8::try_from(high * 16 + low).ok()?);
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_this_origin_pass_as_they_are() {
        for next in [
            "/w/ab/lab",
            "/w/ab/",
            "/w/ab/lab/tree/My%20Notebook.ipynb?reset&x=//y#z",
            "/w/ab/lab/tree/a%25b",
        ] {
            assert_eq!(local_path(next, "/w/ab/"), Some(next));
        }
    }

    #[test]
    fn nothing_leads_to_another_origin_or_out_of_the_prefix() {
        for next in [
            "",
            "//e",
            "///e",
            "/\\e",
            "\\e",
            "https:e",
            "https:///e",
            "https://e/w/ab/",
            "//e/w/ab/",
            "http://localhost:8000//e",
            "javascript:alert(1)",
            "/\te",
            "/\ne",
            "\t//e",
            " /w/ab/",
            "/w/ab/%0d%0aSet-Cookie:x=y",
            "/w/ab/\r\nLocation: //e",
            "/w/ab/..//e",
            "/w/ab/../cd/",
            "/w/ab/%2e%2e/cd/",
            "/w/ab/.%2E/cd",
            "/w/ab/%2f%2fe",
            "/w/ab/%5c",
            "/w/ab//e",
            "/w/ab",
            "/w/abc/",
            "/w/ab/%",
            "/w/ab/%zz",
            "/w/ab/%00",
            "/w/ab/\u{ff0f}e",
            "data:text/html,x",
            "/w/ab/\u{0}",
        ] {
            assert_eq!(local_path(next, "/w/ab/"), None, "{next:?}");
        }
    }
}

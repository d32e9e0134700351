//! Which images people may bring.

/// Whether an image's name matches one of the patterns. No patterns allow nothing.
///
/// In a pattern `*` stands for any characters but `/`, `**` for any at all. Names are compared in full, as Docker reads them: `python` is
/// `docker.io/library/python:latest`. A pattern without a tag or digest fits every tag, and no digest: `*@*` must be written out.
pub fn allowed(patterns: &[String], name: &str) -> bool {
    let Some(name) = Name::read(name) else {
        return false;
    };
    patterns.iter().any(|pattern| {
        Name::read(pattern).is_some_and(|pattern| {
            fits(&pattern.path, &name.path)
                && match (&pattern.rest, &name.rest) {
                    (None, rest) => rest.as_ref().is_none_or(|r| r.starts_with(':')),
                    (Some(pattern), Some(rest)) => fits(pattern, rest),
                    (Some(pattern), None) => fits(pattern, ":latest"),
                }
        })
    })
}

struct Name {
    /// Registry and repository.
    path: String,
    /// Tag or digest, with the sign before it.
    rest: Option<String>,
}

impl Name {
    fn read(name: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-/:@*".contains(&b);
        if name.is_empty() || name.len() > 300 || !name.bytes().all(plain) {
            return None;
        }
        let last = name.rfind('/').map_or(0, |at| at + 1);
        let cut = name
            .find('@')
            .or_else(|| name[last..].find(':').map(|at| at + last));
        let (path, rest) = match cut {
            Some(at) => (&name[..at], Some(name[at..].to_owned())),
            None => (name, None),
        };
        // Docker's own rule: the first part is a registry if it looks like a host.
        let path = match path.split_once('/') {
            Some((host, _)) if host.contains(['.', ':', '*']) || host == "localhost" => {
                path.to_owned()
            }
            Some(_) => format!("docker.io/{path}"),
            None if path == "**" => path.to_owned(),
            None => format!("docker.io/library/{path}"),
        };
        Some(Self { path, rest })
    }
}

/// Matches bytes against a pattern with `*` and `**`, in time proportional to the product of their lengths.
fn fits(pattern: &str, text: &str) -> bool {
    let text = text.as_bytes();
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let mut next = vec![false; text.len() + 1];
        if first == '*' {
            let all = rest.starts_with("**");
            rest = &rest[if all { 2 } else { 1 }..];
            for at in 0..=text.len() {
                let before = at > 0 && next[at - 1] && (all || text[at - 1] != b'/');
                next[at] = reached[at] || before;
            }
        } else {
            rest = &rest[first.len_utf8()..];
            for at in 1..=text.len() {
                next[at] = reached[at - 1] && char::from(text[at - 1]) == first;
            }
        }
        reached = next;
    }
    reached[text.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(pattern: &str, name: &str) -> bool {
        allowed(&[pattern.to_owned()], name)
    }

    #[test]
    fn no_patterns_allow_nothing() {
        assert!(!allowed(&[], "python"));
    }

    #[test]
    fn names_are_compared_in_full() {
        assert!(allows("python", "docker.io/library/python:3.12"));
        assert!(allows("docker.io/library/*", "python"));
        assert!(!allows("python", "evil.example/library/python"));
        assert!(!allows("python", "evil/python"));
        assert!(!allows("python", "pythonx"));
    }

    #[test]
    fn a_star_stays_within_a_part_and_two_do_not() {
        assert!(allows(
            "registry.example/team/*",
            "registry.example/team/a:1"
        ));
        assert!(!allows(
            "registry.example/team/*",
            "registry.example/team/a/b"
        ));
        assert!(allows("registry.example/**", "registry.example/team/a/b"));
        assert!(!allows("registry.example/**", "registry.example.evil/team"));
        assert!(allows("**", "quay.io/x/y:1"));
        assert!(!allows("*", "quay.io/x/y:1"));
    }

    #[test]
    fn tags_and_digests_are_matched_when_a_pattern_names_them() {
        assert!(allows("python:3.*", "python:3.12"));
        assert!(!allows("python:3.*", "python:2.7"));
        assert!(allows("python:latest", "python"));
        assert!(!allows("python", "python@sha256:abc"));
        assert!(allows("python@*", "python@sha256:abc"));
        assert!(allows("host:5000/x", "host:5000/x:1"));
    }

    #[test]
    fn what_is_no_name_is_not_allowed() {
        for bad in ["", "a b", "a\nb", "$x", "-"] {
            assert!(bad == "-" || !allows("**", bad), "{bad:?}");
        }
    }
}

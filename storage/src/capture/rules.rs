//! Which paths a snapshot leaves out: `.cairnignore` before `.gitignore` before `.git/info/exclude` before our defaults, the deeper file first;
//! and the names that credentials go by.

use std::sync::LazyLock;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// Left out unless an ignore file says otherwise.
const DEFAULTS: &[&str] = &[
    "__pycache__/",
    "*.py[co]",
    ".ipynb_checkpoints/",
    ".virtual_documents/",
    ".venv/",
    "venv/",
    "node_modules/",
    ".mypy_cache/",
    ".pytest_cache/",
    ".ruff_cache/",
    ".tox/",
    ".nox/",
    ".eggs/",
    ".cache/",
    ".hg/",
    ".svn/",
    ".jj/",
    ".DS_Store",
    "Thumbs.db",
    ".Trash-*/",
    ".nfs*",
    ".~lock.*",
    "*.swp",
];

/// Left out with a remark, unless `.cairnignore` names them with a `!`.
const CREDENTIALS: &[&str] = &[
    ".env",
    ".env.*",
    "!.env.example",
    "!.env.sample",
    "!.env.template",
    "!.env.dist",
    ".envrc",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ecdsa_sk",
    "id_ed25519",
    "id_ed25519_sk",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.ppk",
    ".netrc",
    "_netrc",
    ".pgpass",
    ".my.cnf",
    ".pypirc",
    ".git-credentials",
    ".htpasswd",
    ".vault-token",
    "kubeconfig",
    "kaggle.json",
    "credentials.json",
    "client_secret*.json",
    "*service-account*.json",
    "*service_account*.json",
    "application_default_credentials.json",
    "**/.aws/credentials",
    "**/.aws/config",
    "**/.docker/config.json",
    "**/.kube/config",
    "**/.huggingface/token",
    "**/.streamlit/secrets.toml",
    ".ssh/",
    ".gnupg/",
    "**/.config/gcloud/",
];

static DEFAULT_RULES: LazyLock<Gitignore> = LazyLock::new(|| build(DEFAULTS.join("\n").as_bytes()));
static CREDENTIAL_RULES: LazyLock<Gitignore> =
    LazyLock::new(|| build(CREDENTIALS.join("\n").as_bytes()));

/// The last two bytes of every name that the rules above can match. A name that begins with a dot is always looked at; what else there is
/// has one of these ends, so that most names are known for harmless without asking any pattern.
static ENDS: LazyLock<Vec<[u8; 2]>> = LazyLock::new(|| {
    let mut ends: Vec<_> = DEFAULTS
        .iter()
        .chain(CREDENTIALS)
        .flat_map(|pattern| ends(pattern))
        .collect();
    ends.sort_unstable();
    ends.dedup();
    ends
});

/// The last two bytes of the names that a pattern of ours can match, unless they begin with a dot.
fn ends(pattern: &str) -> Vec<[u8; 2]> {
    let pattern = pattern.trim_end_matches('/');
    let name = pattern.rsplit_once('/').map_or(pattern, |(_, name)| name);
    if name.trim_start_matches('!').starts_with('.') {
        return Vec::new();
    }
    match name.as_bytes() {
        [.., before, b'[', one, other, b']'] => vec![[*before, *one], [*before, *other]],
        [.., before, last] => vec![[*before, *last]],
        _ => Vec::new(),
    }
}

/// Whether the default rules and the names of credentials may have something to say of a name.
fn is_remarkable(name: &str) -> bool {
    match name.as_bytes() {
        [b'.', ..] => true,
        [.., before, last] => ENDS.contains(&[*before, *last]),
        _ => false,
    }
}

/// What becomes of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Take,
    /// Left out as the rules say, without a remark.
    Ignore,
    Credential,
}

/// The rules in force in the folder that the walk is in.
pub(crate) struct Rules {
    levels: Vec<Level>,
    /// `.git/info/exclude`.
    exclude: Gitignore,
}

/// The ignore files of one folder.
struct Level {
    /// The length of the folder's path with its slash.
    prefix: usize,
    cairn: Gitignore,
    git: Gitignore,
}

impl Rules {
    pub(super) fn new(exclude: &[u8]) -> Self {
        Self {
            levels: Vec::new(),
            exclude: build(exclude),
        }
    }

    /// Enters a folder, `""` or a path, with the contents of its ignore files.
    pub(super) fn enter(&mut self, folder: &str, cairn: &[u8], git: &[u8]) {
        let prefix = if folder.is_empty() {
            0
        } else {
            folder.len() + 1
        };
        self.levels.push(Level {
            prefix,
            cairn: build(cairn),
            git: build(git),
        });
    }

    pub(super) fn leave(&mut self) {
        self.levels.pop();
    }

    /// Judges a path in the current folder. The folders above it were taken.
    pub(super) fn judge(&self, path: &str, is_folder: bool) -> Verdict {
        let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
        // What git itself would never take: also no rule can bring it back.
        if name == ".git" {
            return Verdict::Ignore;
        }
        let by_cairn = self.ask(path, is_folder, |level| &level.cairn);
        match by_cairn {
            Some(true) => return Verdict::Ignore,
            Some(false) => return Verdict::Take,
            None => {}
        }
        let ignored = self
            .ask(path, is_folder, |level| &level.git)
            .or_else(|| answer(&self.exclude, path, is_folder));
        if ignored == Some(true) {
            return Verdict::Ignore;
        }
        if !is_remarkable(name) {
            return Verdict::Take;
        }
        if ignored.is_none() && answer(&DEFAULT_RULES, path, is_folder) == Some(true) {
            return Verdict::Ignore;
        }
        match answer(&CREDENTIAL_RULES, path, is_folder) {
            Some(true) => Verdict::Credential,
            _ => Verdict::Take,
        }
    }

    fn ask(
        &self,
        path: &str,
        is_folder: bool,
        file: impl Fn(&Level) -> &Gitignore,
    ) -> Option<bool> {
        self.levels
            .iter()
            .rev()
            .find_map(|level| answer(file(level), &path[level.prefix..], is_folder))
    }
}

fn answer(rules: &Gitignore, path: &str, is_folder: bool) -> Option<bool> {
    if rules.is_empty() {
        return None;
    }
    match rules.matched(path, is_folder) {
        Match::None => None,
        Match::Ignore(_) => Some(true),
        Match::Whitelist(_) => Some(false),
    }
}

/// Reads an ignore file; a line that is no pattern is passed over, as git does.
fn build(text: &[u8]) -> Gitignore {
    if text.is_empty() {
        return Gitignore::empty();
    }
    let mut builder = GitignoreBuilder::new("");
    for line in String::from_utf8_lossy(text).lines() {
        if let Err(error) = builder.add_line(None, line) {
            tracing::debug!(%error, "a line of an ignore file is no pattern");
        }
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(cairn: &str, git: &str) -> Rules {
        let mut rules = Rules::new(b"");
        rules.enter("", cairn.as_bytes(), git.as_bytes());
        rules
    }

    #[test]
    fn a_name_that_a_rule_matches_is_remarkable() {
        for pattern in DEFAULTS.iter().chain(CREDENTIALS) {
            let pattern = pattern.trim_start_matches('!').trim_end_matches('/');
            for (class, star) in [("c", ""), ("o", "x"), ("c", "x.y")] {
                let path = pattern
                    .replace("**/", "a/")
                    .replace("[co]", class)
                    .replace('*', star);
                let hit = |rules| {
                    [true, false]
                        .into_iter()
                        .any(|is_folder| answer(rules, &path, is_folder).is_some())
                };
                assert!(hit(&DEFAULT_RULES) || hit(&CREDENTIAL_RULES), "{path}");
                let name = path.rsplit_once('/').map_or(&*path, |(_, name)| name);
                assert!(is_remarkable(name), "{path}");
            }
        }
        for name in ["train.py", "notebook.ipynb", "data.csv", "README.md", "a"] {
            assert!(!is_remarkable(name), "{name}");
        }
    }

    #[test]
    fn cairnignore_overrides_gitignore() {
        let rules = rules("!results.csv\nsecret.txt\n", "*.csv\n");
        assert_eq!(rules.judge("results.csv", false), Verdict::Take);
        assert_eq!(rules.judge("other.csv", false), Verdict::Ignore);
        assert_eq!(rules.judge("secret.txt", false), Verdict::Ignore);
    }

    #[test]
    fn deeper_files_override_shallower_ones() {
        let mut rules = rules("", "*.log\n");
        rules.enter("keep", b"", b"!*.log\n");
        assert_eq!(rules.judge("keep/a.log", false), Verdict::Take);
        rules.leave();
        assert_eq!(rules.judge("a.log", false), Verdict::Ignore);
    }

    #[test]
    fn defaults_can_be_overridden_but_not_git() {
        let rules = rules("", "!venv/\n!.git\n");
        assert_eq!(rules.judge("venv", true), Verdict::Take);
        assert_eq!(rules.judge(".git", true), Verdict::Ignore);
        assert_eq!(rules.judge("deep/__pycache__", true), Verdict::Ignore);
    }

    #[test]
    fn credentials_are_known_by_name() {
        let plain = rules("", "");
        for path in [
            ".env",
            "a/.env.local",
            "id_rsa",
            "keys/server.pem",
            ".netrc",
            "home/.aws/credentials",
            "deploy/tls.key",
        ] {
            assert_eq!(plain.judge(path, false), Verdict::Credential, "{path}");
        }
        assert_eq!(plain.judge(".ssh", true), Verdict::Credential);
        for path in [
            ".env.example",
            "id_rsa.pub",
            "env.py",
            "credentials.md",
            "aws/credentials",
            "monkey.py",
        ] {
            assert_eq!(plain.judge(path, false), Verdict::Take, "{path}");
        }
        assert_eq!(rules("!ca.pem\n", "").judge("ca.pem", false), Verdict::Take);
        assert_eq!(
            rules("", "!ca.pem\n").judge("ca.pem", false),
            Verdict::Credential
        );
    }
}

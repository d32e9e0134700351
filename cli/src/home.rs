//! `CAIRN_HOME`: which servers this person is signed in to, and which project is current. The one place that reads these variables.
//!
//! Tokens never leave this file and `api.rs`: they are not printed, not logged, and not part of any error.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use url::Url;

/// A bearer token. Its text shows in no debug output.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Token(String);

impl Token {
    /// A token from its text.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, to send or to store and for nothing else.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A server to talk to.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// Its public URL, without a path of the API.
    pub(crate) url: Url,
    /// Who we are there.
    pub(crate) token: Option<Token>,
    /// Certificates to trust beside the system's, as PEM.
    pub(crate) ca_file: Option<PathBuf>,
}

/// What is kept about a server after signing in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Account {
    /// The bearer token.
    pub(crate) token: Token,
    /// The token's id, to end it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token_id: Option<String>,
    /// Whose it is, to be shown.
    #[serde(default)]
    pub(crate) user: String,
    /// Certificates to trust beside the system's, as PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
}

/// The file `credentials`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Credentials {
    /// The URL of the server that commands talk to.
    #[serde(default)]
    pub(crate) current: Option<String>,
    /// Servers by URL.
    #[serde(default)]
    pub(crate) servers: BTreeMap<String, Account>,
}

/// The file `state.json`: choices, no secrets.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    /// The current project of each server.
    #[serde(default)]
    pub(crate) projects: BTreeMap<String, String>,
}

/// The folder of the command line's own files.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    folder: PathBuf,
}

impl Home {
    /// `CAIRN_HOME`, else `$XDG_CONFIG_HOME/cairn`, else `~/.config/cairn`.
    ///
    /// # Errors
    /// When none of the three variables is set.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let set = |name| {
            env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let folder = set("CAIRN_HOME")
            .or_else(|| {
                set("XDG_CONFIG_HOME")
                    .filter(|path| path.is_absolute())
                    .map(|path| path.join("cairn"))
            })
            .or_else(|| set("HOME").map(|path| path.join(".config/cairn")))
            .context("no home folder: set CAIRN_HOME to a folder for cairn's own files")?;
        Ok(Self { folder })
    }

    /// A home in a given folder.
    #[cfg(test)]
    pub(crate) fn at(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// A folder of it, made where there is none.
    pub(crate) fn within(&self, name: &str) -> std::io::Result<PathBuf> {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// The saved sign-ins.
    ///
    /// # Errors
    /// When others can read the file, or it is not ours to understand.
    pub(crate) fn credentials(&self) -> anyhow::Result<Credentials> {
        let path = self.folder.join("credentials");
        let Ok(meta) = fs::metadata(&path) else {
            return Ok(Credentials::default());
        };
        if meta.mode() & 0o077 != 0 {
            anyhow::bail!(
                "{} can be read by other users of this machine, and holds your tokens: run `chmod 600 {0}`, and sign in anew if they are not to be trusted",
                path.display()
            );
        }
        read(&path)
    }

    /// Saves the sign-ins, readable by their owner only, whole or not at all.
    pub(crate) fn save_credentials(&self, credentials: &Credentials) -> anyhow::Result<()> {
        self.write("credentials", credentials)
    }

    /// The saved choices.
    pub(crate) fn state(&self) -> anyhow::Result<State> {
        read(&self.folder.join("state.json"))
    }

    /// Saves the choices.
    pub(crate) fn save_state(&self, state: &State) -> anyhow::Result<()> {
        self.write("state.json", state)
    }

    /// The server that commands talk to, with the token for it.
    ///
    /// `CAIRN_API_URL`, `CAIRN_TOKEN_FILE` or `CAIRN_TOKEN`, and `CAIRN_CA_FILE` come before what is saved. A saved token goes to the server
    /// that it was made for and to no other.
    ///
    /// # Errors
    /// When there is no server to talk to, or a file named by a variable cannot be read.
    pub(crate) fn server(&self) -> anyhow::Result<Server> {
        let saved = self.credentials()?;
        let url = match variable("CAIRN_API_URL") {
            Some(text) => base_url(&text).context("CAIRN_API_URL")?,
            None => match &saved.current {
                Some(current) => base_url(current)?,
                None => anyhow::bail!(
                    "not signed in: run `cairn login URL`, or `cairn login LINK` with the link that the server wrote"
                ),
            },
        };
        let account = saved.servers.get(&key(&url));
        let token = match given_token()? {
            Some(token) => Some(token),
            None => account.map(|account| account.token.clone()),
        };
        let ca_file = variable("CAIRN_CA_FILE")
            .map(PathBuf::from)
            .or_else(|| account.and_then(|account| account.ca_file.clone()));
        Ok(Server {
            url,
            token,
            ca_file,
        })
    }

    /// Is there any server that commands would talk to?
    pub(crate) fn has_server(&self) -> bool {
        variable("CAIRN_API_URL").is_some()
            || self
                .credentials()
                .is_ok_and(|saved| saved.current.is_some())
    }

    fn write(&self, name: &str, value: &impl Serialize) -> anyhow::Result<()> {
        let failed = || format!("cannot write {}", self.folder.join(name).display());
        fs::create_dir_all(&self.folder).with_context(failed)?;
        let temporary = self.folder.join(format!(".{name}.{}", std::process::id()));
        let result = write_private(&temporary, value)
            .and_then(|()| fs::rename(&temporary, self.folder.join(name)));
        if result.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        result.with_context(failed)
    }
}

/// The name under which a server is saved: its URL without a trailing slash.
pub(crate) fn key(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

/// A server's URL from what a person typed: `https` is assumed for a bare host, the API's own path is left out.
///
/// # Errors
/// When it is no http or https URL, or carries a user name or password.
pub(crate) fn base_url(text: &str) -> anyhow::Result<Url> {
    let text = text.trim();
    let full = if text.contains("://") {
        text.to_owned()
    } else {
        format!("{}://{text}", assumed_scheme(text))
    };
    let mut url = Url::parse(&full).with_context(|| format!("`{text}` is not a URL"))?;
    anyhow::ensure!(
        matches!(url.scheme(), "http" | "https") && url.has_host(),
        "`{text}` is not an http or https URL"
    );
    anyhow::ensure!(
        url.username().is_empty() && url.password().is_none(),
        "leave the user name and password out of the URL"
    );
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix("/api/v1").unwrap_or(path).to_owned();
    url.set_path(&path);
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

fn assumed_scheme(text: &str) -> &'static str {
    let host = text.split(['/', ':']).next().unwrap_or_default();
    if matches!(host, "localhost" | "127.0.0.1") {
        "http"
    } else {
        "https"
    }
}

/// A token given by the environment, file first: a variable can be read by more programs than a file.
fn given_token() -> anyhow::Result<Option<Token>> {
    if let Some(path) = variable("CAIRN_TOKEN_FILE") {
        let text = fs::read_to_string(&path)
            .with_context(|| format!("cannot read CAIRN_TOKEN_FILE {path}"))?;
        return Ok(Some(Token::new(text.trim())));
    }
    Ok(variable("CAIRN_TOKEN").map(|text| Token::new(text.trim())))
}

/// An environment variable, when it is set to something.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}

fn read<T: Default + for<'a> Deserialize<'a>>(path: &Path) -> anyhow::Result<T> {
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).with_context(|| {
            format!(
                "{} is damaged: move it away and sign in again",
                path.display()
            )
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(T::default()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn write_private(path: &Path, value: &impl Serialize) -> std::io::Result<()> {
    // A file of that name can only be our own, left by a process that died.
    let _ = fs::remove_file(path);
    let mut file: File = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    serde_json::to_writer_pretty(&mut file, value)?;
    file.write_all(b"\n")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> Credentials {
        let account = Account {
            token: Token::new("cairn_secret"),
            token_id: None,
            user: "ada".to_owned(),
            ca_file: None,
        };
        Credentials {
            current: Some("https://a.example".to_owned()),
            servers: BTreeMap::from([("https://a.example".to_owned(), account)]),
        }
    }

    #[test]
    fn credentials_are_readable_by_their_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(&folder.path().join("deep/cairn"));
        home.save_credentials(&credentials()).unwrap();
        home.save_credentials(&credentials()).unwrap();
        let path = folder.path().join("deep/cairn/credentials");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(
            fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "no temporary file is left"
        );
        assert_eq!(
            home.credentials().unwrap().servers["https://a.example"].token,
            Token::new("cairn_secret")
        );
    }

    #[test]
    fn credentials_that_others_can_read_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.save_credentials(&credentials()).unwrap();
        fs::set_permissions(
            folder.path().join("credentials"),
            Permissions::from_mode(0o644),
        )
        .unwrap();
        let message = home.credentials().unwrap_err().to_string();
        assert!(message.contains("chmod 600"), "{message}");
        assert!(!message.contains("secret"), "{message}");
    }

    #[test]
    fn a_token_is_not_shown_by_debug() {
        assert!(!format!("{:?}", credentials()).contains("secret"));
    }

    #[test]
    fn urls_lose_the_apis_path() {
        let base = |text| base_url(text).map(|url| key(&url)).ok();
        assert_eq!(
            base("http://localhost:8000/api/v1/").as_deref(),
            Some("http://localhost:8000")
        );
        assert_eq!(
            base("localhost:8000").as_deref(),
            Some("http://localhost:8000")
        );
        assert_eq!(
            base("cairn.example.org").as_deref(),
            Some("https://cairn.example.org")
        );
        assert_eq!(
            base("https://example.org/cairn/").as_deref(),
            Some("https://example.org/cairn")
        );
        for text in [
            "",
            "ftp://x",
            "http://",
            "https://a:b@example.org",
            "file:///etc/passwd",
        ] {
            assert_eq!(base(text), None, "{text}");
        }
    }
}

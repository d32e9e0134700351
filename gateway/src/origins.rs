//! Which origin a request is for: the app, one workspace, or none of ours. It reads `Host` strictly, because that header decides who
//! may do what; it knows no sessions and no records.

use std::borrow::Cow;

use http::{HeaderMap, Uri, header};
use storage::ids::WorkspaceId;

use crate::config::{Config, Role};

/// The origin that a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The app and its API.
    App,
    /// The origin of one workspace.
    Workspace(WorkspaceId),
    /// The origin that all workspaces share, where they have no domain of their own.
    Workspaces,
    /// A host name that is none of ours.
    Unknown,
}

/// `Host` was missing, given twice, malformed, or contradicted the request's target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request must name exactly one host")]
pub struct BadHost;

/// The addresses that people use, prepared for comparing.
#[derive(Clone, Debug)]
pub struct Origins {
    secure: bool,
    app: Authority<'static>,
    app_origin: String,
    app_is_loopback: bool,
    /// The parent of workspace origins.
    domain: Option<Authority<'static>>,
    /// What stands before and after an id in the origin of a workspace.
    around_id: Option<(String, String)>,
    /// The shared origin of workspaces, on the second listener.
    shared: Option<(Authority<'static>, String)>,
}

/// A host name in lower case and a port, never left out.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Authority<'a> {
    host: Cow<'a, str>,
    port: u16,
}

impl Origins {
    /// Takes the addresses from the configuration.
    pub fn new(config: &Config) -> Self {
        let url = &config.public_url;
        let secure = config.is_secure();
        let app = Authority {
            host: in_lower_case(url.host_str().unwrap_or_default()),
            port: url.port_or_known_default().unwrap_or(80),
        }
        .into_owned();
        let shared = config.workspace_url.as_ref().map(|url| {
            let authority = Authority {
                host: in_lower_case(url.host_str().unwrap_or_default()),
                port: url.port_or_known_default().unwrap_or(80),
            }
            .into_owned();
            (authority, url.origin().ascii_serialization())
        });
        let domain = config
            .workspace_domain
            .as_deref()
            .and_then(|domain| Authority::parse(domain, secure).ok())
            .map(Authority::into_owned);
        Self {
            secure,
            app,
            app_origin: config.app_origin(),
            app_is_loopback: crate::config::is_loopback(url),
            around_id: domain.as_ref().map(|domain| around_id(domain, secure)),
            domain,
            shared,
        }
    }

    /// The origin that a request on a listener of `role` is for.
    ///
    /// # Errors
    /// `BadHost` unless exactly one host is named, in `Host`, in an absolute target, or the same one in both.
    pub fn of(&self, role: Role, uri: &Uri, headers: &HeaderMap) -> Result<Origin, BadHost> {
        let named = host(headers)?;
        // Nearly every request names its workspace just as we do.
        if role == Role::App
            && uri.authority().is_none()
            && let Some((_, after)) = &self.around_id
            && let Some(label) = named.strip_suffix(after.as_str())
            && let Ok(id) = label.parse()
        {
            return Ok(Origin::Workspace(id));
        }
        let host = Authority::parse(named, self.secure)?;
        if let Some(target) = uri.authority()
            && Authority::parse(target.as_str(), self.secure)? != host
        {
            return Err(BadHost);
        }
        if role == Role::Workspaces {
            let ours = self
                .shared
                .as_ref()
                .is_some_and(|(shared, _)| *shared == host);
            return Ok(if ours {
                Origin::Workspaces
            } else {
                Origin::Unknown
            });
        }
        if let Some(id) = self.workspace_of(&host) {
            return Ok(Origin::Workspace(id));
        }
        Ok(if self.is_app(&host) {
            Origin::App
        } else {
            Origin::Unknown
        })
    }

    /// The app's origin as browsers send it.
    pub fn app(&self) -> &str {
        &self.app_origin
    }

    /// Whether browsers reach us by https.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether every workspace has an origin of its own.
    pub fn are_separate(&self) -> bool {
        self.domain.is_some()
    }

    /// The origin where browsers find a workspace, as they send it; `None` where none is configured.
    pub fn of_workspace(&self, id: &WorkspaceId) -> Option<String> {
        if let Some((before, after)) = &self.around_id {
            return Some([before, id.to_string().as_str(), after].concat());
        }
        self.shared.as_ref().map(|(_, origin)| origin.clone())
    }

    /// Whether workspaces have an origin, of their own or a shared one.
    pub(crate) fn has_workspaces(&self) -> bool {
        self.around_id.is_some() || self.shared.is_some()
    }

    /// What follows the origin of a workspace in an address; `None` where it begins with another.
    pub(crate) fn after_workspace<'a>(
        &self,
        id: &WorkspaceId,
        address: &'a str,
    ) -> Option<&'a str> {
        let Some((before, after)) = &self.around_id else {
            let (_, shared) = self.shared.as_ref()?;
            return address.strip_prefix(shared.as_str());
        };
        let rest = address.strip_prefix(before.as_str())?;
        let (label, rest) = rest.split_once('.')?;
        let rest = rest.strip_prefix(after.strip_prefix('.')?)?;
        label
            .parse()
            .is_ok_and(|found: WorkspaceId| found == *id)
            .then_some(rest)
    }

    fn workspace_of(&self, host: &Authority<'_>) -> Option<WorkspaceId> {
        let domain = self.domain.as_ref()?;
        let label = host.host.strip_suffix(&*domain.host)?.strip_suffix('.')?;
        (host.port == domain.port).then(|| label.parse().ok())?
    }

    fn is_app(&self, host: &Authority<'_>) -> bool {
        let same_machine =
            self.app_is_loopback && matches!(&*host.host, "localhost" | "127.0.0.1" | "[::1]");
        host.port == self.app.port && (host.host == self.app.host || same_machine)
    }
}

/// The one `Host` of a request.
fn host(headers: &HeaderMap) -> Result<&str, BadHost> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().ok_or(BadHost)?;
    if hosts.next().is_some() {
        return Err(BadHost);
    }
    host.to_str().map_err(|_| BadHost)
}

fn around_id(domain: &Authority<'_>, secure: bool) -> (String, String) {
    let (scheme, usual) = if secure { ("https", 443) } else { ("http", 80) };
    let after = if domain.port == usual {
        format!(".{}", domain.host)
    } else {
        format!(".{}:{}", domain.host, domain.port)
    };
    (format!("{scheme}://"), after)
}

fn in_lower_case(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

impl<'a> Authority<'a> {
    fn into_owned(self) -> Authority<'static> {
        Authority {
            host: Cow::Owned(self.host.into_owned()),
            port: self.port,
        }
    }

    /// Reads `host[:port]`. A trailing dot is kept: to a browser it is another origin, so it is none of ours.
    fn parse(text: &'a str, secure: bool) -> Result<Self, BadHost> {
        let (host, port) = if text.starts_with('[') {
            let end = text.find(']').ok_or(BadHost)?;
            text[1..end]
                .parse::<std::net::Ipv6Addr>()
                .map_err(|_| BadHost)?;
            text.split_at(end + 1)
        } else {
            let end = text.find(':').unwrap_or(text.len());
            let (host, port) = text.split_at(end);
            let is_name =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
            if host.is_empty() || host.len() > 255 || !host.bytes().all(is_name) {
                return Err(BadHost);
            }
            (host, port)
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => {
                if secure {
                    443
                } else {
                    80
                }
            }
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                digits.parse().map_err(|_| BadHost)?
            }
            _ => return Err(BadHost),
        };
        Ok(Self {
            host: in_lower_case(host),
            port,
        })
    }
}

#[cfg(test)]
mod tests;

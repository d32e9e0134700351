//! What the gateway is told by its caller: addresses, origins, cookies and lifetimes.
//! A plain struct; the command line fills it from `cairn.toml`. It reads no file and no environment variable.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use url::Url;

/// Everything the gateway needs to know about where and how it is reached.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address that people type, without a path: `https://cairn.example.org`. Its scheme decides the cookies' names.
    pub public_url: Url,
    /// Sockets to listen on. At least one has the role `App`.
    pub listeners: Vec<Listener>,
    /// The parent domain of workspace origins, with a port where it is not the scheme's own: `localhost:8000`.
    /// Without it workspaces live on the listener of role `Workspaces`.
    pub workspace_domain: Option<String>,
    /// The public address of the listener of role `Workspaces`, where `workspace_domain` is not set.
    pub workspace_url: Option<Url>,
    /// Peers whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<Network>,
    /// Write one log line for each proxied or API request.
    pub access_log: bool,
    /// How long things that grant access last.
    pub lifetimes: Lifetimes,
    /// What one client may do in a time.
    pub limits: Limits,
}

/// How long things that grant access last.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// A browser session ends this long after sign-in.
    pub session: Duration,
    /// A browser session that nothing used for this long ends.
    pub session_idle: Duration,
    /// A sign-in link made by an administrator or by `cairn user link`.
    pub sign_in_link: Duration,
    /// A one-use code that carries a session to a workspace's origin.
    pub workspace_code: Duration,
    /// A device code of `cairn login`.
    pub device_code: Duration,
    /// A token given to the command line by a device code or a link.
    pub device_token: Duration,
}

/// Bounds on what one client can make the gateway do.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a JSON body.
    pub json_bytes: usize,
    /// How long an API request may take; streams, uploads, downloads and the proxy have no such limit.
    pub request: Duration,
    /// Wrong passwords for one name from one address before it must wait.
    pub password_failures: u32,
    /// How long the wait after too many wrong passwords lasts.
    pub password_wait: Duration,
    /// Passwords checked at the same time; each takes 19 MiB and tens of milliseconds of a core.
    pub password_checks: usize,
    /// Device sign-ins begun from one address before it must wait.
    pub device_starts: u32,
    /// Wrong device codes typed by one person before they must wait.
    pub device_guesses: u32,
    /// Event and log streams open at the same time for one person.
    pub streams: usize,
}

/// One socket to listen on.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Address and port; port 0 takes a free one.
    pub address: SocketAddr,
    /// What is served there.
    pub role: Role,
    /// Certificate and key, where the gateway itself ends TLS.
    pub tls: Option<Tls>,
}

/// What a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The app, the API and, by host name, workspace origins.
    App,
    /// Workspaces only.
    Workspaces,
}

/// PEM files of a listener.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certificate and its chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// An address or a range in CIDR notation: `10.0.0.0/8`, `::1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Config {
    /// The defaults for an app at `public_url`, listening on `address` without TLS.
    ///
    /// On a loopback host name workspaces get origins below `localhost`; elsewhere the caller sets `workspace_domain` or
    /// adds a listener of role `Workspaces`.
    pub fn new(public_url: Url, address: SocketAddr) -> Self {
        let workspace_domain = is_loopback(&public_url).then(|| match public_url.port() {
            Some(port) => format!("localhost:{port}"),
            None => "localhost".to_owned(),
        });
        Self {
            public_url,
            listeners: vec![Listener {
                address,
                role: Role::App,
                tls: None,
            }],
            workspace_domain,
            workspace_url: None,
            trusted_proxies: Vec::new(),
            access_log: true,
            lifetimes: Lifetimes::default(),
            limits: Limits::default(),
        }
    }

    /// Whether people reach the app by https, which decides `Secure` and the `__Host-` names.
    pub fn is_secure(&self) -> bool {
        self.public_url.scheme() == "https"
    }

    /// The app's origin as browsers send it, without a trailing slash.
    pub fn app_origin(&self) -> String {
        self.public_url.origin().ascii_serialization()
    }

    /// Whether `origin`, as a browser sent it, is the app's. On a loopback address this machine's names are interchangeable.
    pub fn is_app_origin(&self, origin: &[u8]) -> bool {
        if origin == self.app_origin().as_bytes() {
            return true;
        }
        let port = self.public_url.port_or_known_default().unwrap_or(80);
        is_loopback(&self.public_url)
            && ["localhost", "127.0.0.1", "[::1]"].iter().any(|host| {
                let name = format!("{}://{host}", self.public_url.scheme());
                origin == format!("{name}:{port}").as_bytes()
                    || (port == 80 && origin == name.as_bytes())
            })
    }

    /// The name of the app's session cookie.
    pub fn session_cookie(&self) -> &'static str {
        if self.is_secure() {
            "__Host-cairn_session"
        } else {
            "cairn_session"
        }
    }

    /// The name of the cookie of a workspace's origin. Its path is not `/`, so `__Host-` cannot be had.
    pub fn workspace_cookie(&self) -> &'static str {
        if self.is_secure() {
            "__Secure-cairn_workspace"
        } else {
            "cairn_workspace"
        }
    }

    /// Whether `peer` is one of the proxies whose forwarding headers are believed.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies
            .iter()
            .any(|network| network.contains(peer))
    }
}

/// Whether the URL's host is this machine by name or by address.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl Default for Lifetimes {
    fn default() -> Self {
        const DAY: u64 = 24 * 3600;
        Self {
            session: Duration::from_secs(30 * DAY),
            session_idle: Duration::from_secs(14 * DAY),
            sign_in_link: Duration::from_mins(15),
            workspace_code: Duration::from_mins(1),
            device_code: Duration::from_mins(10),
            device_token: Duration::from_secs(90 * DAY),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            json_bytes: 8 << 20,
            request: Duration::from_secs(30),
            password_failures: 5,
            password_wait: Duration::from_mins(1),
            password_checks: 2,
            device_starts: 30,
            device_guesses: 20,
            streams: 64,
        }
    }
}

impl Network {
    /// Whether `address` lies in the range. An IPv4 address in its IPv6 form counts as the IPv4 one.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => same_prefix(
                ours.to_bits().into(),
                theirs.to_bits().into(),
                32,
                self.prefix,
            ),
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                same_prefix(ours.to_bits(), theirs.to_bits(), 128, self.prefix)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || format!("{text:?} is not an address or a range like 10.0.0.0/8");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let widest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| invalid())?,
            None => widest,
        };
        if prefix > widest {
            return Err(invalid());
        }
        Ok(Self { address, prefix })
    }
}

fn same_prefix(ours: u128, theirs: u128, width: u32, prefix: u8) -> bool {
    let free = width - u32::from(prefix).min(width);
    ours.checked_shr(free).unwrap_or(0) == theirs.checked_shr(free).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_its_addresses_and_no_others() {
        let network: Network = "10.1.0.0/16".parse().unwrap();
        assert!(network.contains("10.1.255.3".parse().unwrap()));
        assert!(network.contains("::ffff:10.1.0.9".parse().unwrap()));
        assert!(!network.contains("10.2.0.1".parse().unwrap()));
        let everything: Network = "::/0".parse().unwrap();
        assert!(everything.contains("2001:db8::1".parse().unwrap()));
        assert!(!everything.contains("10.0.0.1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "10.0.0.0/33", "example.org", "::1/129", "10.0.0.0/-1"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_loopback_url_puts_workspaces_below_localhost() {
        let address = "127.0.0.1:8000".parse().unwrap();
        let config = Config::new("http://localhost:8000".parse().unwrap(), address);
        assert_eq!(config.workspace_domain.as_deref(), Some("localhost:8000"));
        assert_eq!(config.session_cookie(), "cairn_session");
        assert_eq!(config.app_origin(), "http://localhost:8000");
        let config = Config::new("https://cairn.example.org".parse().unwrap(), address);
        assert_eq!(config.workspace_domain, None);
        assert_eq!(config.session_cookie(), "__Host-cairn_session");
    }
}

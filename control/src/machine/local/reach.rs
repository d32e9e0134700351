//! How work in a container reaches the API.

/// `HOST:PORT` of an address that a container can be led to; `None` for a bare address of a network, which it must reach by itself.
pub(super) fn authority(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, if scheme == "https" { 443 } else { 80_u16 }),
    };
    let is_name = host
        .parse::<std::net::Ipv4Addr>()
        .map_or(!host.starts_with('['), |ip| ip.is_loopback());
    is_name.then(|| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_loopback_can_be_led_to() {
        let of = |url| authority(url);
        assert_eq!(of("http://localhost:8000").unwrap(), "localhost:8000");
        assert_eq!(of("http://127.0.0.1:8000/x").unwrap(), "127.0.0.1:8000");
        assert_eq!(
            of("https://cairn.example.org").unwrap(),
            "cairn.example.org:443"
        );
        assert_eq!(of("http://10.0.0.5:8000"), None);
        assert_eq!(of("http://[::1]:8000"), None);
        assert_eq!(of("nonsense"), None);
    }
}

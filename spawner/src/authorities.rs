//! Certificate authorities of a company, given once, for everything that Cairn runs or builds.
//!
//! Programs that are told of a bundle trust nothing else, so it holds the machine's own authorities as well.

use std::fs;
use std::path::Path;

use crate::error::Context;
use crate::{Error, Mount, Result};

/// Where work sees the bundle.
pub const PATH: &str = "/cairn/ca-certificates.crt";

/// By which programs and libraries find a bundle: OpenSSL, uv and most others; pip; requests; curl; Node.
const VARIABLES: [&str; 5] = [
    "SSL_CERT_FILE",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
];

/// Where systems keep the authorities that they trust.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The variables that lead work to [`PATH`].
pub fn variables() -> impl Iterator<Item = (&'static str, &'static str)> {
    VARIABLES.iter().map(|name| (*name, PATH))
}

/// What shows a bundle to work.
pub fn mount(bundle: &Path) -> Mount {
    Mount::read_only(bundle, PATH)
}

/// Writes the machine's own authorities and those of `extra`, a PEM file, into `bundle`. Leaves a file that is right already as it is.
///
/// # Errors
/// `Invalid` where `extra` cannot be read or holds no certificate.
pub fn merge(extra: &Path, bundle: &Path) -> Result<()> {
    let text = fs::read_to_string(extra).map_err(|e| {
        Error::Invalid(format!(
            "extra_ca_file {} cannot be read: {e}",
            extra.display()
        ))
    })?;
    let certificates = certificates(&text);
    if certificates.is_empty() {
        return Err(Error::Invalid(format!(
            "extra_ca_file {} holds no certificate in PEM form",
            extra.display()
        )));
    }
    let system = SYSTEM.iter().find_map(|path| fs::read_to_string(path).ok());
    let mut whole = system.unwrap_or_default();
    for certificate in certificates {
        if !whole.contains(certificate) {
            whole.push('\n');
            whole.push_str(certificate);
            whole.push('\n');
        }
    }
    if fs::read_to_string(bundle).is_ok_and(|is| is == whole) {
        return Ok(());
    }
    let failed = || format!("{} cannot be written", bundle.display());
    // Work that runs keeps the file that it was shown.
    let temporary = bundle.with_extension("new");
    fs::write(&temporary, whole).context(failed)?;
    fs::set_permissions(
        &temporary,
        std::os::unix::fs::PermissionsExt::from_mode(0o644),
    )
    .context(failed)?;
    fs::rename(&temporary, bundle).context(failed)
}

/// The certificates of a PEM file, and nothing else of it: no private key gets into the bundle.
fn certificates(text: &str) -> Vec<&str> {
    const END: &str = "-----END CERTIFICATE-----";
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find("-----BEGIN CERTIFICATE-----") {
        let Some(end) = rest[begin..].find(END) else {
            break;
        };
        let end = begin + end + END.len();
        found.push(&rest[begin..end]);
        rest = &rest[end..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_added_once_and_keys_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let (extra, bundle) = (
            folder.path().join("x.pem"),
            folder.path().join("bundle.crt"),
        );
        let one = "-----BEGIN CERTIFICATE-----\nAAAAnotreally\n-----END CERTIFICATE-----";
        let key = "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----";
        fs::write(&extra, format!("# ours\n{one}\n{key}\n{one}\n")).unwrap();
        merge(&extra, &bundle).unwrap();
        let text = fs::read_to_string(&bundle).unwrap();
        assert_eq!(text.matches("AAAAnotreally").count(), 1);
        assert!(!text.contains("secret"));
        merge(&extra, &bundle).unwrap();
        assert_eq!(fs::read_to_string(&bundle).unwrap(), text);
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (extra, bundle) = (
            folder.path().join("x.pem"),
            folder.path().join("bundle.crt"),
        );
        assert!(matches!(merge(&extra, &bundle), Err(Error::Invalid(_))));
        fs::write(&extra, "hello").unwrap();
        assert!(matches!(merge(&extra, &bundle), Err(Error::Invalid(_))));
        assert!(!bundle.exists());
    }
}

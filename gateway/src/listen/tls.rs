//! Our own TLS. Its files are read again when they change, so that a renewed certificate needs no restart.

use std::{
    fs, io,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::time::interval;
use tokio_rustls::TlsAcceptor;

use crate::config::Tls;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(10);

/// A certificate and key that follow their files.
pub(super) struct Reloading {
    files: Tls,
    current: RwLock<TlsAcceptor>,
}

impl Reloading {
    /// Reads the files.
    pub(super) fn new(files: &Tls) -> io::Result<Self> {
        Ok(Self {
            current: RwLock::new(load(files)?),
            files: files.clone(),
        })
    }

    /// What new connections use now.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Follows the files for ever.
    pub(super) async fn watch(&self) {
        let mut every = interval(EVERY);
        let mut seen = stamps(&self.files);
        loop {
            every.tick().await;
            self.refresh(&mut seen);
        }
    }

    /// Reads the files again if they changed since `seen`. Files that do not fit each other, as in the middle of a renewal, leave
    /// the old ones in use.
    fn refresh(&self, seen: &mut Stamps) {
        let now = stamps(&self.files);
        if now == *seen {
            return;
        }
        match load(&self.files) {
            Ok(acceptor) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
                *seen = now;
                tracing::info!("the TLS certificate was read again");
            }
            Err(error) => {
                tracing::warn!(%error, "the new TLS files cannot be used; the old certificate stays");
            }
        }
    }
}

/// When the two files were written.
type Stamps = [Option<SystemTime>; 2];

fn stamps(files: &Tls) -> Stamps {
    let modified = |path: &Path| fs::metadata(path).and_then(|found| found.modified()).ok();
    [modified(&files.certificate), modified(&files.key)]
}

fn load(files: &Tls) -> io::Result<TlsAcceptor> {
    let named = |path: &Path, error: &dyn std::fmt::Display| {
        io::Error::other(format!("{}: {error}", path.display()))
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| named(&files.certificate, &error))?;
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| named(&files.key, &error))?;
    let mut config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| named(&files.certificate, &error))?;
    // WebSockets over HTTP/2 would be another protocol to tunnel; browsers fall back to this by themselves.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
    use tokio::io::duplex;
    use tokio_rustls::TlsConnector;

    use super::*;

    /// Makes a certificate for `localhost`; `None` where there is no `openssl`.
    fn certify(files: &Tls) -> Option<()> {
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
            ])
            .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-keyout")
            .arg(&files.key)
            .arg("-out")
            .arg(&files.certificate)
            .output()
            .ok()?;
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        Some(())
    }

    async fn shakes_hands(server: &Reloading, certificate: &[u8]) -> bool {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(certificate).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let (ours, theirs) = duplex(64 * 1024);
        let name = ServerName::try_from("localhost").unwrap();
        let (client, _) = tokio::join!(
            TlsConnector::from(Arc::new(config)).connect(name, theirs),
            server.acceptor().accept(ours)
        );
        client.is_ok()
    }

    #[tokio::test]
    async fn a_renewed_certificate_is_used_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let files = Tls {
            certificate: folder.path().join("cert.pem"),
            key: folder.path().join("key.pem"),
        };
        assert!(Reloading::new(&files).is_err());
        if certify(&files).is_none() {
            eprintln!("skipped: there is no openssl");
            return;
        }
        let first = fs::read(&files.certificate).unwrap();
        let server = Reloading::new(&files).unwrap();
        assert!(shakes_hands(&server, &first).await);
        let mut seen = Stamps::default();
        certify(&files).unwrap();
        let second = fs::read(&files.certificate).unwrap();
        server.refresh(&mut seen);
        assert!(shakes_hands(&server, &second).await);
        assert!(!shakes_hands(&server, &first).await);
        fs::write(&files.key, "half a file").unwrap();
        server.refresh(&mut Stamps::default());
        assert!(shakes_hands(&server, &second).await);
    }
}

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

    /// Follows the files for ever. Files that do not fit each other, as in the middle of a renewal, leave the old ones in use.
    pub(super) async fn watch(&self) {
        let mut every = interval(EVERY);
        let mut seen = stamps(&self.files);
        loop {
            every.tick().await;
            let now = stamps(&self.files);
            if now == seen {
                continue;
            }
            match load(&self.files) {
                Ok(acceptor) => {
                    *self.current.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
                    seen = now;
                    tracing::info!("the TLS certificate was read again");
                }
                Err(error) => {
                    tracing::warn!(%error, "the new TLS files cannot be used; the old certificate stays");
                }
            }
        }
    }
}

fn stamps(files: &Tls) -> [Option<SystemTime>; 2] {
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

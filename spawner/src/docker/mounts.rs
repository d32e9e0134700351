//! Whether the engine sees what this process mounts.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// Whether the engine behind a socket is in the mount namespace of this process, so that a container is shown what is mounted here.
///
/// It is not where this process is in a container of the engine, or in a service with mounts of its own: a container would then be shown the
/// empty folder below the mount. No engine, and one that cannot be looked at, counts as elsewhere. Blocks, for a moment.
///
/// Source: unix(7), `SO_PEERCRED`; `mount_namespaces(7)`.
pub fn sees_mounts(engine: &Path) -> bool {
    let namespace = |process: String| -> Option<PathBuf> {
        fs::read_link(format!("/proc/{process}/ns/mnt")).ok()
    };
    let peer = UnixStream::connect(engine)
        .ok()
        .and_then(|stream| rustix::net::sockopt::socket_peercred(&stream).ok());
    let Some(peer) = peer else {
        return false;
    };
    let theirs = namespace(peer.pid.as_raw_nonzero().to_string());
    theirs.is_some() && theirs == namespace("self".to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_server_beside_us_sees_what_we_mount_and_none_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("engine.sock");
        assert!(!sees_mounts(&socket));
        let _listener = UnixListener::bind(&socket).unwrap();
        assert!(sees_mounts(&socket));
    }

    #[test]
    fn the_engine_of_the_tests_sees_what_we_mount() {
        let engine = std::env::var("CAIRN_TEST_DOCKER").unwrap_or_default();
        let Some(socket) = engine.strip_prefix("unix://") else {
            eprintln!("skipped: CAIRN_TEST_DOCKER names no engine");
            return;
        };
        assert!(sees_mounts(Path::new(socket)));
    }
}

//! Whether the engine sees what this process mounts.

use std::path::{Path, PathBuf};

use tokio::net::UnixStream;

/// Whether the engine behind a socket is in the mount namespace of this process, so that a container is shown what is mounted here.
///
/// It is not where this process is in a container of the engine, or in a service with mounts of its own: a container would then be shown the
/// folder below the mount. No engine, and one that cannot be looked at, counts as elsewhere. What listens for the engine counts as the engine:
/// systemd, or a relay. Where that is wrong the folder below the mount, which nobody may enter, makes it an error.
///
/// Source: unix(7), `SO_PEERCRED`; `mount_namespaces(7)`.
pub async fn sees_mounts(engine: &Path) -> bool {
    let Some(peer) = peer(engine).await else {
        return false;
    };
    let theirs = namespace(&peer.to_string()).await;
    theirs.is_some() && theirs == namespace("self").await
}

/// The process behind a socket; none where it is none that can be seen from here, which the kernel tells as 0.
async fn peer(socket: &Path) -> Option<i32> {
    let stream = UnixStream::connect(socket).await.ok()?;
    let pid = stream.peer_cred().ok()?.pid()?;
    (pid > 0).then_some(pid)
}

async fn namespace(process: &str) -> Option<PathBuf> {
    let link = format!("/proc/{process}/ns/mnt");
    tokio::fs::read_link(link).await.ok()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    #[tokio::test]
    async fn a_server_beside_us_sees_what_we_mount_and_none_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("engine.sock");
        assert!(!sees_mounts(&socket).await);
        let _listener = tokio::net::UnixListener::bind(&socket).unwrap();
        assert!(sees_mounts(&socket).await);
    }

    #[tokio::test]
    async fn a_server_with_mounts_of_its_own_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("engine.sock");
        let listen = "import socket, sys, time\ns = socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])\ns.listen()\ntime.sleep(60)";
        let elsewhere = Command::new("unshare")
            .args(["--map-root-user", "--mount", "python3", "-c", listen])
            .arg(&socket)
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut elsewhere) = elsewhere else {
            eprintln!("skipped: no unshare");
            return;
        };
        let until = Instant::now() + Duration::from_secs(10);
        while UnixStream::connect(&socket).await.is_err() {
            if Instant::now() > until || elsewhere.try_wait().unwrap().is_some() {
                eprintln!("skipped: no mount namespace can be made here");
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(!sees_mounts(&socket).await);
        elsewhere.kill().unwrap();
        elsewhere.wait().unwrap();
    }

    #[tokio::test]
    async fn the_engine_of_the_tests_sees_what_we_mount() {
        let engine = std::env::var("CAIRN_TEST_DOCKER").unwrap_or_default();
        let Some(socket) = engine.strip_prefix("unix://") else {
            eprintln!("skipped: CAIRN_TEST_DOCKER names no engine");
            return;
        };
        assert!(sees_mounts(Path::new(socket)).await);
    }
}

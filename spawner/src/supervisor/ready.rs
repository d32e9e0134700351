//! Tells when a server answers, and puts its socket where the work cannot exchange it.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};

/// How often an unready server is asked.
const EVERY: Duration = Duration::from_millis(20);
/// How long one answer may take; slow answers are asked for again.
const ANSWER: Duration = Duration::from_secs(10);

/// Returns once `GET path` at the socket is answered with a status under 500.
///
/// `made` is where the work makes its socket, `kept` a second name in a folder of ours: a name that the work could replace by a link would
/// lead our connections wherever it likes.
pub(super) async fn wait(made: PathBuf, kept: PathBuf, path: String) {
    loop {
        if adopt(&made, &kept).is_ok()
            && timeout(ANSWER, answers(&kept, &path))
                .await
                .is_ok_and(|a| a.unwrap_or(false))
        {
            return;
        }
        sleep(EVERY).await;
    }
}

/// Gives the socket its second name, anew each time: a server may make it twice.
fn adopt(made: &Path, kept: &Path) -> io::Result<()> {
    match fs::remove_file(kept) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    // Does not follow links.
    fs::hard_link(made, kept)?;
    if fs::symlink_metadata(kept)?.file_type().is_socket() {
        return Ok(());
    }
    fs::remove_file(kept)?;
    Err(io::ErrorKind::InvalidInput.into())
}

async fn answers(socket: &Path, path: &str) -> io::Result<bool> {
    let mut stream = UnixStream::connect(socket).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    // "HTTP/1.1 200"
    let mut head = [0; 12];
    stream.read_exact(&mut head).await?;
    let status = head.strip_prefix(b"HTTP/1.").and_then(|rest| {
        std::str::from_utf8(rest.get(2..)?)
            .ok()?
            .parse::<u16>()
            .ok()
    });
    Ok(status.is_some_and(|s| (100..500).contains(&s)))
}

//! Everything again as an ordinary user, when the tests run as root.

use std::process::Command;

use crate::rig::is_root;

#[test]
fn all_of_this_holds_for_an_ordinary_user() {
    if !is_root() {
        return;
    }
    let folder = tempfile::Builder::new().prefix("o").tempdir().unwrap();
    std::os::unix::fs::chown(folder.path(), Some(1000), Some(1000)).unwrap();
    let exe = std::env::current_exe().unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=1000", "--regid=1000", "--clear-groups"])
        .arg(&exe)
        .args([
            "process::",
            "sandbox::",
            "--skip",
            "starter",
            "--skip",
            "flood",
            "--test-threads=2",
        ])
        .env("TMPDIR", folder.path())
        .env("HOME", folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        text.contains("sandbox::only_what_is_shown_is_seen ... ok"),
        "{text}"
    );
}

//! Opens a page in the person's browser, where there is one. Never a reason to fail: the address is always printed too.

use std::process::{Command, Stdio};

/// Asks the desktop to open a page. Returns at once, whether or not it does.
pub(crate) fn open(url: &str) {
    let program = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    if cfg!(not(target_os = "macos"))
        && crate::home::variable("DISPLAY")
            .or_else(|| crate::home::variable("WAYLAND_DISPLAY"))
            .is_none()
    {
        return;
    }
    let _ = Command::new(program)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
}

//! The walls around the work: bubblewrap's arguments, and what stands in for a mount namespace where there is none.

use std::ffi::OsString;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::spec::{Access, Mount};

/// Read-only for everyone: programs and libraries, nothing of a person's.
const SYSTEM: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/nix/store",
];

/// The parts of `/etc` that programs need and that hold no secrets.
const ETC: &[&str] = &[
    "alternatives",
    "bash.bashrc",
    "bash_completion",
    "bash_completion.d",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "debian_version",
    "default/locale",
    "dictionaries-common",
    "environment.d",
    "fonts",
    "gai.conf",
    "host.conf",
    "hosts",
    "ImageMagick-6",
    "inputrc",
    "issue",
    "java",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "locale.conf",
    "localtime",
    "magic",
    "mime.types",
    "mke2fs.conf",
    "nsswitch.conf",
    "OpenCL",
    "os-release",
    "pki",
    "profile",
    "profile.d",
    "protocols",
    "python3",
    "python3.11",
    "R",
    "rpc",
    "resolv.conf",
    "services",
    "shells",
    "skel",
    "ssl",
    "terminfo",
    "timezone",
    "vim",
    "vulkan",
    "wgetrc",
    "xattr.conf",
    "xdg",
];

/// The uid and gid of the work as it sees itself, whatever they are outside.
pub(crate) const INSIDE: u32 = 1000;

/// What one sandbox shows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// The bubblewrap program.
    pub(crate) bwrap: PathBuf,
    /// What is shown besides the system.
    pub(crate) mounts: Vec<Mount>,
    /// Devices that are shown where they are.
    #[serde(default)]
    pub(crate) devices: Vec<PathBuf>,
    /// Folders that are covered if they lie within the system's.
    pub(crate) hidden: Vec<PathBuf>,
    /// The home folder that `/etc/passwd` names.
    pub(crate) home: String,
}

/// The numbers of descriptors that bubblewrap inherits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Descriptors {
    pub(crate) passwd: RawFd,
    pub(crate) group: RawFd,
}

/// `/etc/passwd` and `/etc/group` for work that has these ids as it sees itself.
pub(crate) fn accounts(home: &str, (uid, gid): (u32, u32)) -> (String, String) {
    let home = if home.starts_with('/') && !home.contains([':', '\n']) {
        home
    } else {
        "/"
    };
    let passwd = format!(
        "root:x:0:0:root:/root:/usr/sbin/nologin\ncairn:x:{uid}:{gid}:Cairn:{home}:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    );
    (
        passwd,
        format!("root:x:0:\ncairn:x:{gid}:\nnogroup:x:65534:\n"),
    )
}

/// The arguments for bubblewrap, all but the command, for its `--args`: nothing of them shows in a process list.
pub(crate) fn arguments(plan: &Plan, fds: Descriptors) -> Vec<OsString> {
    let mut args = Arguments::default();
    args.words("--unshare-user --unshare-pid --unshare-ipc --unshare-uts --unshare-cgroup-try --disable-userns");
    args.words(&format!(
        "--uid {INSIDE} --gid {INSIDE} --hostname cairn --cap-drop ALL"
    ));
    args.words("--new-session --die-with-parent --as-pid-1 --chdir /");
    system(&mut args, &plan.hidden);
    args.words(&format!(
        "--ro-bind-data {} /etc/passwd --ro-bind-data {} /etc/group",
        fds.passwd, fds.group
    ));
    args.words("--proc /proc --dev /dev --perms 1777 --tmpfs /dev/shm");
    for device in &plan.devices {
        args.add([
            OsString::from("--dev-bind-try"),
            device.into(),
            device.into(),
        ]);
    }
    args.words("--remount-ro /dev");
    args.words("--ro-bind-try /sys/devices/system /sys/devices/system");
    args.words("--perms 1777 --tmpfs /tmp --perms 1777 --tmpfs /var/tmp --tmpfs /run");
    args.words(&format!("--perms 0700 --tmpfs {}", crate::SECRETS));
    for mount in by_depth(&plan.mounts) {
        let option = if mount.access == Access::ReadWrite {
            "--bind"
        } else {
            "--ro-bind"
        };
        args.add([
            OsString::from(option),
            mount.source.into(),
            mount.target.into(),
        ]);
    }
    args.add(["--remount-ro", "/"]);
    args.0
}

/// Replaces paths as the sandbox would show them by those outside, where there is no sandbox.
///
/// A path is found at the beginning of `value` and after each `=`, `:` and `,`, and only as whole components. The deepest target wins.
pub(crate) fn outside(value: &str, mounts: &[Mount]) -> String {
    let mut targets = by_depth(mounts);
    targets.reverse();
    let mut out = String::with_capacity(value.len());
    for piece in value.split_inclusive(['=', ':', ',']) {
        let end = piece.len() - usize::from(piece.ends_with(['=', ':', ',']));
        let (path, separator) = piece.split_at(end);
        out.push_str(&outside_path(path, &targets).unwrap_or_else(|| path.to_owned()));
        out.push_str(separator);
    }
    out
}

fn outside_path(path: &str, targets: &[Mount]) -> Option<String> {
    let mount = targets
        .iter()
        .find(|m| Path::new(path).starts_with(&m.target) && path.starts_with('/'))?;
    let rest = path.strip_prefix(mount.target.to_str()?)?;
    Some(format!("{}{rest}", mount.source.to_str()?))
}

fn system(args: &mut Arguments, hidden: &[PathBuf]) {
    for folder in SYSTEM.iter().map(Path::new) {
        if let Ok(link) = folder.read_link() {
            args.add([OsString::from("--symlink"), link.into(), folder.into()]);
        } else if folder.is_dir() {
            args.add([OsString::from("--ro-bind"), folder.into(), folder.into()]);
        }
    }
    let covered = |h: &&PathBuf| h.is_dir() && SYSTEM.iter().any(|s| h.starts_with(s));
    for folder in hidden.iter().filter(covered) {
        args.add([OsString::from("--tmpfs"), folder.into()]);
    }
    for name in ETC {
        let path = format!("/etc/{name}");
        args.words(&format!("--ro-bind-try {path} {path}"));
    }
}

fn by_depth(mounts: &[Mount]) -> Vec<Mount> {
    let mut sorted = mounts.to_vec();
    sorted.sort_by_key(|m| m.target.components().count());
    sorted
}

#[derive(Default)]
struct Arguments(Vec<OsString>);

impl Arguments {
    /// Arguments without spaces in them.
    fn words(&mut self, words: &str) {
        self.add(words.split(' '));
    }

    fn add<A: Into<OsString>>(&mut self, args: impl IntoIterator<Item = A>) {
        self.0.extend(args.into_iter().map(Into::into));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mounts() -> Vec<Mount> {
        vec![
            Mount::read_only("/data/in/a", "/cairn/inputs/a"),
            Mount::read_write("/data/out", "/cairn/outputs"),
            Mount::read_write("/data/deep", "/cairn/outputs/deep"),
            Mount::read_write("/data/home", "/home/cairn"),
        ]
    }

    #[test]
    fn outside_replaces_whole_paths_only() {
        let say = |v: &str| outside(v, &mounts());
        assert_eq!(say("/cairn/outputs"), "/data/out");
        assert_eq!(say("/cairn/outputs/x.txt"), "/data/out/x.txt");
        assert_eq!(say("/cairn/outputs/deep/x"), "/data/deep/x");
        assert_eq!(say("/cairn/outputs2"), "/cairn/outputs2");
        assert_eq!(say("--out=/cairn/outputs/m"), "--out=/data/out/m");
        assert_eq!(
            say("/home/cairn/bin:/usr/bin:/cairn/inputs/a"),
            "/data/home/bin:/usr/bin:/data/in/a"
        );
        assert_eq!(say("print('/cairn/outputs')"), "print('/cairn/outputs')");
        assert_eq!(say("x/cairn/outputs"), "x/cairn/outputs");
        assert_eq!(say(""), "");
        assert_eq!(
            say("http://host/cairn/outputs"),
            "http://host/cairn/outputs"
        );
    }

    #[test]
    fn deeper_targets_are_mounted_later() {
        let plan = Plan {
            bwrap: "bwrap".into(),
            mounts: mounts(),
            devices: vec!["/dev/nvidia1".into()],
            hidden: vec![],
            home: "/home/cairn".into(),
        };
        let args = arguments(
            &plan,
            Descriptors {
                passwd: 5,
                group: 6,
            },
        );
        let at = |t: &str| args.iter().rposition(|a| a == t).unwrap();
        assert!(at("/cairn/outputs/deep") > at("/cairn/outputs"));
        assert!(
            at("/") > at("/cairn/outputs/deep"),
            "the root becomes read-only last"
        );
        assert_eq!(args[at("/cairn/inputs/a") - 2], "--ro-bind");
        assert_eq!(args[at("/dev/nvidia1") - 2], "--dev-bind-try");
    }

    #[test]
    fn a_home_cannot_forge_accounts() {
        let (passwd, _) = accounts("/x\nroot2:x:0:0::/:/bin/sh", (1000, 1000));
        assert_eq!(passwd.lines().count(), 3);
    }
}

//! What the work can and cannot do inside, tried from inside.

use std::fs;

use spawner::{Mount, Spec};

use crate::rig::{Bench, is_root};

/// Runs a script that must print `expected`.
async fn inside(bench: &Bench, id: &str, mounts: Vec<Mount>, script: &str) -> String {
    let handle = bench
        .start(Spec {
            mounts,
            ..bench.shell(id, script)
        })
        .await;
    let exit = bench.end(&handle).await;
    let output = bench.output(&handle).await;
    assert!(exit.success(), "{exit:?}\n{output}");
    output
}

#[tokio::test]
async fn nothing_outside_can_be_changed() {
    let Some(bench) = Bench::sandboxed() else {
        return;
    };
    let home = bench.rig.folder.join("home");
    let input = bench.rig.folder.join("input");
    for folder in [&home, &input] {
        fs::create_dir(folder).unwrap();
    }
    fs::write(input.join("a"), "a").unwrap();
    let mounts = vec![
        Mount::read_write(&home, "/home/cairn"),
        Mount::read_only(&input, "/cairn/inputs/in"),
    ];
    let script = r#"
        try() { if "$@" 2>/dev/null >/dev/null; then echo "POSSIBLE: $*"; fi; }
        try mount -o remount,rw /usr
        try mount -o remount,rw,bind /usr
        try mount -o remount,bind,rw /cairn/inputs/in
        try mount -t tmpfs none /home/cairn
        try mount --bind /home/cairn /usr
        try umount /cairn/inputs/in
        try umount -l /usr
        try mknod /tmp/null c 1 3
        try mknod /tmp/disk b 8 0
        try touch /usr/x
        try touch /etc/x
        try touch /x
        try touch /dev/x
        try touch /cairn/inputs/in/x
        try sh -c 'echo b > /cairn/inputs/in/a'
        try rm /cairn/inputs/in/a
        try chmod 777 /cairn/inputs/in/a
        try unshare --user true
        try unshare --user --map-root-user --mount true
        try unshare --mount true
        try chroot / true
        try cat /etc/shadow
        try sh -c 'echo 1 > /proc/sys/kernel/panic'
        try sh -c 'echo b > /proc/sysrq-trigger'
        try hostname other
        touch /home/cairn/mine /tmp/mine /dev/shm/mine && echo allowed
    "#;
    assert_eq!(inside(&bench, "changes", mounts, script).await, "allowed\n");
    assert!(home.join("mine").exists());
}

#[tokio::test]
async fn only_what_is_shown_is_seen() {
    let Some(bench) = Bench::sandboxed() else {
        return;
    };
    let data = bench.folder.path().join("data");
    let (mine, other) = (data.join("homes/mine"), data.join("homes/other"));
    for folder in [&mine, &other] {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("notes"), "private").unwrap();
    }
    let script = format!(
        "cat /home/cairn/notes; echo; for p in {data} {other}/notes {runs} {sockets} /root/.ssh /home/*/.ssh /var/lib; do \
         if ls $p >/dev/null 2>&1; then echo \"SEEN: $p\"; fi; done; \
         test \"$(ls /proc | grep -c '^[0-9]')\" -lt 8 && echo few; id -u; whoami; hostname; cat /proc/1/cmdline | tr '\\0' ' ' | grep -c private",
        data = data.display(),
        other = other.display(),
        runs = bench.runs().display(),
        sockets = bench.config.sockets.display(),
    );
    let handle = bench
        .start(Spec {
            mounts: vec![Mount::read_write(&mine, "/home/cairn")],
            ..bench.shell("seen", &script)
        })
        .await;
    bench.end(&handle).await;
    assert_eq!(
        bench.output(&handle).await,
        "private\nfew\n1000\ncairn\ncairn\n0\n"
    );
}

#[tokio::test]
async fn work_never_runs_as_root_and_workspaces_have_uids_of_their_own() {
    if !is_root() {
        return;
    }
    for bench in [Bench::new(true), Bench::new(false)] {
        let owner = bench.runtime.owner(Some(7)).unwrap().unwrap();
        assert_eq!(owner, (200_007, 200_007));
        assert!(bench.runtime.owner(None).is_err());
        assert!(bench.runtime.owner(Some(65_536)).is_err());
        let home = bench.rig.folder.join("home");
        fs::create_dir(&home).unwrap();
        fs::write(home.join("given"), "").unwrap();
        inside(
            &bench,
            "uid",
            vec![Mount::read_write(&home, "/home/cairn")],
            "sleep 0; test $(id -u) != 0",
        )
        .await;
        let uid =
            |p: &str| std::os::unix::fs::MetadataExt::uid(&fs::metadata(home.join(p)).unwrap());
        assert_eq!((uid(""), uid("given")), (owner.0, owner.0));
        let caps = inside(
            &bench,
            "caps",
            vec![],
            "grep -E 'Cap(Eff|Prm|Inh|Amb)|NoNewPrivs|Groups' /proc/self/status",
        )
        .await;
        for line in caps.lines() {
            let value = line
                .split_ascii_whitespace()
                .nth(1)
                .unwrap_or("0000000000000000");
            let want = if line.starts_with("NoNewPrivs") {
                "1"
            } else {
                "0000000000000000"
            };
            assert!(value == want || line.starts_with("Groups"), "{line}");
        }
    }
}

#[tokio::test]
async fn a_link_in_place_of_a_folder_is_refused() {
    let bench = Bench::new(true);
    let link = bench.rig.folder.join("link");
    std::os::unix::fs::symlink("/etc", &link).unwrap();
    let spec = Spec {
        mounts: vec![Mount::read_write(&link, "/home/cairn")],
        ..bench.shell("link", "true")
    };
    let handle = bench.start(spec).await;
    let exit = bench.end(&handle).await;
    assert_eq!(
        exit.failure,
        Some(spawner::Failure::MountMissing),
        "{exit:?}"
    );
    assert_eq!(
        std::os::unix::fs::MetadataExt::uid(&fs::metadata("/etc").unwrap()),
        0
    );
}

#[tokio::test]
async fn secrets_are_not_on_disk_nor_in_argument_lists() {
    let Some(bench) = Bench::sandboxed() else {
        return;
    };
    let mut spec = bench.shell("secrets", "echo ready; sleep 1000");
    spec.secrets.push(spawner::Secret {
        name: "token".into(),
        bytes: b"needle-in-haystack".to_vec(),
    });
    spec.env
        .insert("QUIET".into(), "needle-in-environment".into());
    let handle = bench.start(spec).await;
    bench.line(&handle, "ready").await;
    for entry in fs::read_dir(bench.runs().join("secrets"))
        .unwrap()
        .flatten()
    {
        let text =
            String::from_utf8_lossy(&fs::read(entry.path()).unwrap_or_default()).into_owned();
        let hex = "6e6565646c652d696e2d686179737461636b";
        assert!(
            !text.contains("needle-in-haystack") && !text.contains(hex),
            "{:?}",
            entry.path()
        );
    }
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        assert!(
            !String::from_utf8_lossy(&line).contains("needle-in-"),
            "{:?}",
            entry.path()
        );
    }
    bench
        .runtime
        .stop(&handle, std::time::Duration::ZERO)
        .await
        .unwrap();
}

//! The escape list: from inside a container, each forbidden reach is tried, and fails.

use std::net::TcpListener;
use std::time::Duration;

use spawner::{Mount, Secret};

use super::rig::{Docked, shell};

/// Tries to connect from inside: prints `REACHED` and where, for each place that is.
fn connects(places: &[(String, u16)]) -> String {
    let tries = places.iter().map(|(host, port)| {
        format!("if timeout 5 bash -c 'exec 3<>/dev/tcp/{host}/{port}' 2>/dev/null; then echo REACHED {host}:{port}; fi; ")
    });
    tries.collect::<String>() + "echo tried"
}

#[tokio::test]
async fn another_runs_container() {
    let Some(bench) = Docked::new() else { return };
    let script = "cd /tmp && echo hello > x && exec python3 -u -m http.server 9000";
    let mut server = bench.shell("server", script);
    server.env.insert("PYTHONUNBUFFERED".into(), "1".into());
    let server = bench.start(server).await;
    bench.until(&server, |s| s.ready).await;
    let address = loop {
        let address = bench.address("server");
        let connected = std::net::TcpStream::connect((address.as_str(), 9000));
        if !address.is_empty() && connected.is_ok() {
            break address;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let other = bench
        .inside("other", vec![], &connects(&[(address, 9000)]))
        .await;
    assert_eq!(other, "tried\n");
    bench.runtime.stop(&server, Duration::ZERO).await.unwrap();
}

/// The addresses by which this machine knows itself.
fn own_addresses() -> Vec<String> {
    let all = shell("ip -4 -o addr show | awk '{print $4}' | cut -d/ -f1");
    all.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn the_control_port_and_other_services_of_this_machine() {
    let Some(bench) = Docked::new() else { return };
    let service = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = service.local_addr().unwrap().port();
    let places: Vec<_> = own_addresses().into_iter().map(|a| (a, port)).collect();
    for (address, _) in &places {
        std::net::TcpStream::connect((address.as_str(), port)).expect("it is reached from here");
    }
    // The bridge's own address: the first of the run's network.
    let gateway = "g=$(awk '$2==\"00000000\"{print $3}' /proc/net/route); g=$(printf '%d.%d.%d.%d' 0x${g:6:2} 0x${g:4:2} 0x${g:2:2} 0x${g:0:2}); \
                   if timeout 5 bash -c \"exec 3<>/dev/tcp/$g/PORT\" 2>/dev/null; then echo REACHED gateway; fi; echo gateway $g >&2; ";
    let script = gateway.replace("PORT", &port.to_string()) + &connects(&places);
    let output = bench.inside("services", vec![], &script).await;
    assert!(
        !output.contains("REACHED") && output.contains("tried"),
        "{output}"
    );
    assert!(output.contains("gateway 10.213."), "{output}");
}

#[tokio::test]
async fn the_docker_socket() {
    let Some(bench) = Docked::new() else { return };
    let script = "ls /var/run/docker.sock /run/docker.sock 2>/dev/null; find / -xdev -type s 2>/dev/null; \
                  find /run /var/run /cairn /tmp -type s 2>/dev/null; echo looked";
    assert_eq!(bench.inside("socket", vec![], script).await, "looked\n");
}

#[tokio::test]
async fn the_metadata_address() {
    let Some(bench) = Docked::new() else { return };
    shell(
        "ip link del ctbmeta 2>/dev/null; ip link add ctbmeta type bridge && ip addr add 169.254.169.254/32 dev ctbmeta && ip link set ctbmeta up",
    );
    let service = TcpListener::bind("169.254.169.254:0").unwrap();
    let port = service.local_addr().unwrap().port();
    std::net::TcpStream::connect(("169.254.169.254", port)).expect("it is reached from here");
    let places = [("169.254.169.254".to_owned(), port)];
    let output = bench.inside("metadata", vec![], &connects(&places)).await;
    shell("ip link del ctbmeta");
    assert_eq!(output, "tried\n");
}

#[tokio::test]
async fn the_hosts_files_and_processes() {
    let Some(bench) = Docked::new() else { return };
    let home = bench.rig.folder.join("home");
    std::fs::create_dir(&home).unwrap();
    std::fs::write(bench.folder.path().join("private"), "private").unwrap();
    std::os::unix::fs::symlink(bench.folder.path(), home.join("link")).unwrap();
    let script = format!(
        "for p in {folder} {folder}/private /home/cairn/link/private /proc/1/root{folder} {runs} {sockets} {engine}; do \
         if ls $p >/dev/null 2>&1; then echo SEEN $p; fi; done; \
         ls /proc | grep -c '^[0-9]' | awk '$1 > 8 {{print \"SEEN processes\"}}'; id -u; whoami; hostname",
        folder = bench.folder.path().display(),
        runs = bench.config.base.runs.display(),
        sockets = bench.config.base.sockets.display(),
        engine = bench.config.engine.display(),
    );
    let mounts = vec![Mount::read_write(&home, "/home/cairn")];
    let output = bench.inside("files", mounts, &script).await;
    assert_eq!(output, "200007\ncairn\ncairn\n");
}

#[tokio::test]
async fn another_runs_secret() {
    let Some(bench) = Docked::new() else { return };
    let mut spec = bench.shell("keeper", "echo ready; sleep 1000");
    spec.secrets.push(Secret {
        name: "token".into(),
        bytes: b"needle-of-another".to_vec(),
    });
    let keeper = bench.start(spec).await;
    bench.line(&keeper, "ready").await;
    let script = "ls -A /cairn/secrets; cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -a needle; \
                  grep -rsa --exclude-dir=proc --exclude-dir=sys needle-of-an /cairn /tmp /run /dev/shm /var/tmp; echo looked";
    assert_eq!(bench.inside("seeker", vec![], script).await, "looked\n");
    bench.runtime.stop(&keeper, Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn mounts_devices_and_raw_sockets() {
    let Some(bench) = Docked::new() else { return };
    let home = bench.rig.folder.join("home");
    let input = bench.rig.folder.join("input");
    for folder in [&home, &input] {
        std::fs::create_dir(folder).unwrap();
    }
    std::fs::write(input.join("a"), "a").unwrap();
    let mounts = vec![
        Mount::read_write(&home, "/home/cairn"),
        Mount::read_only(&input, "/cairn/inputs/in"),
    ];
    let script = r#"
        try() { if "$@" 2>/dev/null >/dev/null; then echo "POSSIBLE: $*"; fi; }
        try mount -o remount,rw /
        try mount -o remount,bind,rw /cairn/inputs/in
        try mount -t tmpfs none /home/cairn
        try mount -t proc none /tmp
        try umount /cairn/inputs/in
        try umount -l /cairn/bin/cairn
        try mknod /tmp/null c 1 3
        try mknod /tmp/disk b 8 0
        try touch /usr/x
        try touch /etc/x
        try touch /x
        try touch /cairn/inputs/in/x
        try sh -c 'echo b > /cairn/inputs/in/a'
        try sh -c 'echo x >> /cairn/bin/cairn'
        try rm /cairn/init/api
        try unshare --mount true
        try unshare --user --map-root-user --mount true
        try unshare --net true
        try chroot / true
        try cat /etc/shadow
        try sh -c 'echo 1 > /proc/sys/kernel/panic'
        try sh -c 'echo b > /proc/sysrq-trigger'
        try sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
        try hostname other
        try dmesg
        try cat /dev/mem
        try python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)'
        try python3 -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)'
        try ip addr add 10.0.0.9/8 dev eth0
        touch /home/cairn/mine /tmp/mine /dev/shm/mine && echo allowed
        grep -E 'Cap(Eff|Prm|Inh|Amb|Bnd)' /proc/self/status | awk '{print $2}' | sort -u
        grep -E 'NoNewPrivs|Seccomp:' /proc/self/status | awk '{print $2}' | tr '\n' ' '
    "#;
    let output = bench.inside("mounts", mounts, script).await;
    assert_eq!(output.trim_end(), "allowed\n0000000000000000\n1 2");
    assert!(home.join("mine").exists());
}

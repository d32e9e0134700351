//! Where runs may go: the outside, as a network namespace with a public address; and how many of them there can be.

use std::process::Command;
use std::time::{Duration, Instant};

use spawner::{Handle, Phase};

use super::rig::{Docked, shell};

/// Another network behind this machine, with a public address, a private one and link-local ones, all answering on port 8000.
struct Outside(std::process::Child);

const PUBLIC: &str = "198.51.100.10";
const PRIVATE: &str = "10.99.7.10";
const METADATA: &str = "169.254.170.2";

impl Outside {
    fn new() -> Self {
        Self::remove();
        shell(&format!(
            "ip netns add ctbout && ip link add ctbout type veth peer name in netns ctbout && ip addr add 10.212.251.1/30 dev ctbout && ip link set ctbout up \
             && ip -n ctbout link set lo up && ip -n ctbout addr add 10.212.251.2/30 dev in && ip -n ctbout link set in up \
             && for a in {PUBLIC} {PRIVATE} {METADATA}; do ip -n ctbout addr add $a/32 dev lo && ip route replace $a/32 via 10.212.251.2; done"
        ));
        let mut server = Command::new("nsenter");
        server.args([
            "--net=/run/netns/ctbout",
            "python3",
            "-m",
            "http.server",
            "8000",
            "--directory",
            "/usr/share/misc",
        ]);
        server
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let outside = Self(server.spawn().expect("a server"));
        let deadline = Instant::now() + Duration::from_mins(1);
        for address in [PUBLIC, PRIVATE, METADATA] {
            while std::net::TcpStream::connect((address, 8000)).is_err() {
                assert!(
                    Instant::now() < deadline,
                    "{address} is not reached from here"
                );
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        outside
    }

    fn remove() {
        shell("ip link del ctbout 2>/dev/null; ip netns del ctbout 2>/dev/null; true");
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
        Self::remove();
    }
}

fn connects() -> String {
    let tries = [PUBLIC, PRIVATE, METADATA].map(|a| {
        format!("if timeout 5 bash -c 'exec 3<>/dev/tcp/{a}/8000' 2>/dev/null; then echo {a}; fi; ")
    });
    tries.concat()
}

#[tokio::test]
async fn runs_go_where_the_policy_lets_them() {
    let Some(bench) = Docked::new() else { return };
    let _outside = Outside::new();
    let usual = bench.inside("usual", vec![], &connects()).await;
    assert_eq!(usual, format!("{PUBLIC}\n"));
    let allow = |c: &mut spawner::docker::Config| {
        c.network.allow = vec!["10.99.7.0/24".into(), "169.254.0.0/16".into()];
        c.network.pool = "10.214.0.0/17".into();
    };
    let bench = Docked::with(allow).unwrap();
    let allowed = bench.inside("allowed", vec![], &connects()).await;
    assert_eq!(
        allowed,
        format!("{PUBLIC}\n{PRIVATE}\n"),
        "link-local addresses never"
    );
    let closed = |c: &mut spawner::docker::Config| {
        c.network.outside = false;
        c.network.pool = "10.214.128.0/18".into();
    };
    let bench = Docked::with(closed).unwrap();
    assert_eq!(bench.inside("closed", vec![], &connects()).await, "");
}

/// How many runs there can be at once; each has a network. `CAIRN_TEST_RUNS` says how many, `200` is what is promised.
#[tokio::test]
async fn many_runs_at_once() {
    let count = std::env::var("CAIRN_TEST_RUNS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(20);
    let Some(bench) = Docked::new() else { return };
    let began = Instant::now();
    let id = |n: usize| format!("many-{n}");
    let starts = (0..count).map(|n| bench.start(bench.shell(&id(n), "echo ready; sleep 10000")));
    let handles: Vec<Handle> = futures_util::future::join_all(starts).await;
    for handle in &handles {
        let mut seen = bench.runtime.status(handle).await.unwrap().unwrap();
        while seen.phase == Phase::Starting {
            seen = bench.runtime.changed(handle, &seen).await.unwrap();
        }
        assert_eq!(seen.phase, Phase::Running, "{seen:?}");
    }
    let ready = began.elapsed();
    let addresses: std::collections::BTreeSet<_> =
        (0..count).map(|n| bench.address(&id(n))).collect();
    assert_eq!(addresses.len(), count, "each has an address of its own");
    let began = Instant::now();
    let stops = handles
        .iter()
        .map(|h| bench.runtime.stop(h, Duration::ZERO));
    for stopped in futures_util::future::join_all(stops).await {
        stopped.unwrap();
    }
    for (n, handle) in handles.iter().enumerate() {
        bench.runtime.remove(handle).await.unwrap();
        assert_eq!(bench.left(&id(n)), Vec::<String>::new());
    }
    let _ = std::io::Write::write_fmt(
        &mut std::io::stderr(),
        format_args!(
            "{count} runs: all ready after {ready:?}, gone after {:?}\n",
            began.elapsed()
        ),
    );
}

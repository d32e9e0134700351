//! The container of a run, as the engine is asked for it. Pure: all walls are visible here and in this module's snapshots.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bollard::models::{
    ContainerCreateBody, DeviceRequest, HealthConfig, HostConfig, HostConfigLogConfig,
    Mount as EngineMount, MountBindOptions, MountBindOptionsPropagationEnum, MountType,
    RestartPolicy, RestartPolicyNameEnum,
};

use super::Plan;
use crate::spec::{Access, Gpu, Mount, Spec};

/// Where `cairn-inside` is inside.
const PROGRAM: &str = "/cairn/bin/cairn";
/// The folder with the supervisor's sockets, inside.
pub(crate) const INIT: &str = "/cairn/init";
/// The label that names a run.
pub(super) const RUN: &str = "cairn.run";
/// The label that names whose run it is.
pub(super) const INSTALLATION: &str = "cairn.installation";
/// Shared memory where there is no limit of memory; data loaders pass their batches through it.
const SHARED_BYTES: u64 = 8 << 30;

/// All that a container is made from.
#[derive(Clone, Copy)]
pub(super) struct Parts<'a> {
    pub(super) plan: &'a Plan,
    pub(super) spec: &'a Spec,
    /// The spec's and the endpoint's.
    pub(super) mounts: &'a [Mount],
    /// The uid and gid of the work.
    pub(super) user: (u32, u32),
    /// Where the init finds the supervisor, on this machine.
    pub(super) init: &'a Path,
    /// `/etc/passwd` and `/etc/group` for it, on this machine.
    pub(super) accounts: [&'a Path; 2],
}

/// What everything on the engine that belongs to a run is found by.
pub(super) fn labels(plan: &Plan, run: &str) -> HashMap<String, String> {
    [(RUN, run), (INSTALLATION, &plan.installation)]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into()
}

/// The container: unprivileged, nothing writable but what is shown so, one process of ours in front. Neither the command nor its variables nor
/// secrets are in it: the init hears them from the supervisor.
pub(super) fn request(parts: Parts<'_>) -> ContainerCreateBody {
    let (uid, gid) = parts.user;
    let entrypoint = [PROGRAM, "supervise", "--inside"];
    ContainerCreateBody {
        image: parts.spec.image.clone(),
        hostname: Some("cairn".into()),
        user: Some(format!("{uid}:{gid}")),
        entrypoint: Some(entrypoint.map(str::to_owned).to_vec()),
        cmd: Some(Vec::new()),
        working_dir: Some("/".into()),
        env: Some(vec![format!(
            "NVIDIA_VISIBLE_DEVICES={}",
            visible(&parts.spec.gpus)
        )]),
        healthcheck: Some(HealthConfig {
            test: Some(vec!["NONE".into()]),
            ..HealthConfig::default()
        }),
        labels: Some(labels(parts.plan, &parts.spec.id)),
        host_config: Some(host(parts)),
        ..ContainerCreateBody::default()
    }
}

/// What the NVIDIA runtime, where it is the engine's default, reads from the container's own variables. An image may say `all` there.
fn visible(gpus: &[Gpu]) -> String {
    if gpus.is_empty() {
        return "void".into();
    }
    let ids: Vec<_> = gpus.iter().map(|g| g.id.as_str()).collect();
    ids.join(",")
}

fn host(parts: Parts<'_>) -> HostConfig {
    let limits = &parts.spec.limits;
    let memory = limits.memory_bytes.map(signed);
    HostConfig {
        network_mode: Some(parts.plan.name.clone()),
        extra_hosts: parts.spec.api.as_deref().and_then(own_name),
        ipc_mode: Some("private".into()),
        privileged: Some(false),
        cap_drop: Some(vec!["ALL".into()]),
        security_opt: Some(vec!["no-new-privileges:true".into()]),
        readonly_rootfs: Some(true),
        mounts: Some(mounts(parts)),
        tmpfs: Some(tmpfs(parts)),
        memory,
        // Both together: no swap beyond it.
        memory_swap: memory,
        nano_cpus: limits
            .cpu_millicores
            .map(|m| signed(m.saturating_mul(1_000_000))),
        pids_limit: limits.pids.map(signed),
        shm_size: Some(signed(limits.memory_bytes.unwrap_or(SHARED_BYTES))),
        // The kernel prefers the work over everything else when memory runs out.
        oom_score_adj: Some(300),
        device_requests: Some(cards(&parts.spec.gpus)),
        log_config: Some(HostConfigLogConfig {
            typ: Some("none".into()),
            config: None,
        }),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        init: Some(false),
        auto_remove: Some(false),
        ..HostConfig::default()
    }
}

/// The API's name leads to the container itself, where the init listens.
fn own_name(api: &str) -> Option<Vec<String>> {
    let (host, _) = api.rsplit_once(':')?;
    let is_own = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok();
    (!is_own).then(|| vec![format!("{host}:127.0.0.1")])
}

fn cards(gpus: &[Gpu]) -> Vec<DeviceRequest> {
    if gpus.is_empty() {
        return Vec::new();
    }
    vec![DeviceRequest {
        driver: Some("nvidia".into()),
        count: None,
        device_ids: Some(gpus.iter().map(|g| g.id.clone()).collect()),
        capabilities: Some(vec![vec!["gpu".into(), "compute".into(), "utility".into()]]),
        options: None,
    }]
}

fn mounts(parts: Parts<'_>) -> Vec<EngineMount> {
    let ours = [
        Mount::read_only(&parts.plan.inside, PROGRAM),
        Mount::read_only(parts.init, INIT),
        Mount::read_only(parts.accounts[0], "/etc/passwd"),
        Mount::read_only(parts.accounts[1], "/etc/group"),
    ];
    let all = ours.iter().chain(parts.mounts);
    all.map(bind).collect()
}

fn bind(mount: &Mount) -> EngineMount {
    let text = |p: &PathBuf| p.to_string_lossy().into_owned();
    EngineMount {
        typ: Some(MountType::BIND),
        source: Some(text(&mount.source)),
        target: Some(text(&mount.target)),
        read_only: Some(mount.access == Access::ReadOnly),
        bind_options: Some(MountBindOptions {
            propagation: Some(MountBindOptionsPropagationEnum::RPRIVATE),
            ..MountBindOptions::default()
        }),
        ..EngineMount::default()
    }
}

/// What is writable and gone with the container.
fn tmpfs(parts: Parts<'_>) -> HashMap<String, String> {
    let (uid, gid) = parts.user;
    let open = "rw,exec,nosuid,nodev,mode=1777".to_owned();
    let mut all = HashMap::from([
        ("/tmp".to_owned(), open.clone()),
        ("/var/tmp".to_owned(), open),
        ("/run".to_owned(), "rw,noexec,nosuid,nodev,mode=0755".into()),
        (
            crate::SECRETS.to_owned(),
            format!("rw,noexec,nosuid,nodev,mode=0700,uid={uid},gid={gid},size=16m"),
        ),
    ]);
    let home = parts.spec.env.get("HOME").map(PathBuf::from);
    let shown = |h: &PathBuf| parts.mounts.iter().any(|m| h.starts_with(&m.target));
    let plain = |h: &PathBuf| {
        h.is_absolute() && h.components().count() > 1 && !h.starts_with("/tmp") && !shown(h)
    };
    if let Some(home) = home.filter(plain) {
        let options = format!("rw,exec,nosuid,nodev,mode=0700,uid={uid},gid={gid}");
        all.insert(home.to_string_lossy().into_owned(), options);
    }
    all
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::{Config, Network};
    use crate::{Limits, process};

    fn shown(spec: &Spec) -> serde_json::Value {
        let base = process::Config::new("/data/runs", "/run/c");
        let plan = Config {
            network: Network::default(),
            ..Config::new(base, "/usr/lib/cairn/cairn-inside")
        }
        .plan("0123456789abcdef");
        let body = request(Parts {
            plan: &plan,
            spec,
            mounts: &spec.mounts,
            user: (200_007, 200_007),
            init: Path::new("/run/c/0123456789abcdef/init"),
            accounts: ["passwd", "group"].map(Path::new),
        });
        serde_json::to_value(body).unwrap()
    }

    fn spec() -> Spec {
        Spec {
            id: "ws-1".into(),
            argv: vec!["sh".into()],
            env: [("HOME".to_owned(), "/home/cairn".to_owned())].into(),
            image: Some("debian:bookworm-slim".into()),
            ..Spec::default()
        }
    }

    #[test]
    fn the_container_changes_only_on_purpose() {
        let full = Spec {
            mounts: vec![
                Mount::read_write("/data/homes/1", "/home/cairn"),
                Mount::read_only("/data/in", "/cairn/inputs/a"),
            ],
            limits: Limits {
                memory_bytes: Some(1 << 30),
                cpu_millicores: Some(1500),
                pids: Some(512),
                ..Limits::default()
            },
            api: Some("cairn.example.org:443".into()),
            gpus: ["GPU-aa", "GPU-bb"]
                .map(|id| Gpu {
                    id: id.into(),
                    minor: None,
                })
                .to_vec(),
            ..spec()
        };
        insta::with_settings!({sort_maps => true}, {
            insta::assert_json_snapshot!("plain", shown(&spec()));
            insta::assert_json_snapshot!("full", shown(&full));
        });
    }

    #[test]
    fn what_is_asked_for_never_reaches_the_engine() {
        let spec = Spec {
            argv: vec!["needle".into()],
            env: [("TOKEN".to_owned(), "needle".to_owned())].into(),
            secrets: vec![crate::Secret {
                name: "x".into(),
                bytes: b"needle".to_vec(),
            }],
            ..spec()
        };
        assert!(!shown(&spec).to_string().contains("needle"));
    }
}

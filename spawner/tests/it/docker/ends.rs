//! How runs end and answer, where a container makes a difference.

use std::time::Duration;

use spawner::{Endpoint, Failure, Limits, Phase, Reason, SELF, Secret};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::rig::{Docked, gone};

fn endpoint(start_timeout_ms: u64) -> Endpoint {
    Endpoint {
        target: "/cairn/run/server.sock".into(),
        ready_path: "/w/x/api".into(),
        start_timeout_ms,
    }
}

#[tokio::test]
async fn a_server_is_ready_once_it_answers_and_nothing_is_left_of_it() {
    let Some(bench) = Docked::new() else { return };
    let mut spec = bench.command("server", &[SELF, "serve", "/cairn/run/server.sock", "200"]);
    spec.endpoint = Some(endpoint(60_000));
    let handle = bench.start(spec).await;
    let status = bench.until(&handle, |s| s.ready).await;
    assert_eq!(status.phase, Phase::Running);
    assert_eq!(bench.left("server").len(), 2, "a container and a network");
    let address = bench.runtime.address(&handle).await.unwrap().unwrap();
    tokio::net::UnixStream::connect(&address).await.unwrap();
    bench.runtime.stop(&handle, Duration::ZERO).await.unwrap();
    assert_eq!(bench.runtime.address(&handle).await.unwrap(), None);
    bench.runtime.remove(&handle).await.unwrap();
    assert_eq!(bench.left("server"), Vec::<String>::new());
    assert!(!address.exists());
}

#[tokio::test]
async fn a_server_that_never_answers_is_stopped_and_its_log_quoted() {
    let Some(bench) = Docked::new() else { return };
    let mut spec = bench.shell("mute", "echo 'port in use' >&2; sleep 1000");
    spec.endpoint = Some(endpoint(300));
    let handle = bench.start(spec).await;
    let exit = bench.end(&handle).await;
    let told = (exit.reason, exit.failure);
    assert_eq!(told, (Reason::StartFailed, Some(Failure::NeverListened)));
    assert!(exit.message.contains("port in use"), "{}", exit.message);
    gone(&bench, "mute").await;
}

#[tokio::test]
async fn a_server_that_ends_at_once_has_its_status_told() {
    let Some(bench) = Docked::new() else { return };
    let mut spec = bench.shell("brief", "echo no; exit 4");
    spec.endpoint = Some(endpoint(60_000));
    let handle = bench.start(spec).await;
    let exit = bench.end(&handle).await;
    assert_eq!((exit.reason, exit.code), (Reason::Exited, Some(4)));
}

#[tokio::test]
async fn running_out_of_memory_is_told() {
    let Some(bench) = Docked::new() else { return };
    let mut spec = bench.command("oom", &[SELF, "eat", "300000000"]);
    spec.limits.memory_bytes = Some(64 << 20);
    let handle = bench.start(spec).await;
    let exit = bench.end(&handle).await;
    assert_eq!(exit.reason, Reason::Oom, "{exit:?}");
    let status = bench.runtime.status(&handle).await.unwrap().unwrap();
    assert!(status.oom_kills > 0, "{status:?}");
}

#[tokio::test]
async fn limits_are_in_force() {
    let Some(bench) = Docked::new() else { return };
    let script = "for i in $(seq 50); do sleep 100 & done; echo all";
    let mut spec = bench.shell("limits", script);
    spec.limits = Limits {
        pids: Some(20),
        cpu_millicores: Some(500),
        ..Limits::default()
    };
    let handle = bench.start(spec).await;
    bench.end(&handle).await;
    let output = bench.output(&handle).await;
    assert!(output.to_lowercase().contains("cannot fork"), "{output}");
}

#[tokio::test]
async fn secrets_are_neither_told_to_the_engine_nor_on_disk() {
    let Some(bench) = Docked::new() else { return };
    let mut spec = bench.shell("secrets", "cat /cairn/secrets/token; echo; sleep 1000");
    spec.secrets.push(Secret {
        name: "token".into(),
        bytes: b"needle-in-haystack".to_vec(),
    });
    spec.env.insert("QUIET".into(), "needle-variable".into());
    let handle = bench.start(spec).await;
    bench.line(&handle, "needle-in-haystack").await;
    let told = bench.docker(&["inspect", &bench.name("secrets")]);
    assert!(!told.contains("needle-"), "{told}");
    let logs = bench.docker(&[
        "inspect",
        "--format",
        "{{.HostConfig.LogConfig.Type}}",
        &bench.name("secrets"),
    ]);
    assert_eq!(logs.trim(), "none");
    bench.runtime.stop(&handle, Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn the_api_is_found_by_its_name() {
    let Some(bench) = Docked::new() else { return };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = |listener: tokio::net::TcpListener| async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut line = [0; 5];
        stream.read_exact(&mut line).await.unwrap();
        let answer = [b"got ", &line[..]].concat();
        stream.write_all(&answer).await.unwrap();
    };
    let script = format!(
        "ask() {{ exec 3<>/dev/tcp/localhost/{port}; echo $1 >&3; cat <&3; }}; ask ping; \
         until test -e /cairn/go/on; do sleep 0.05; done; ask pong"
    );
    let signal = bench.rig.folder.join("go");
    std::fs::create_dir(&signal).unwrap();
    let mut spec = bench.command("api", &["bash", "-c", &script]);
    spec.mounts = vec![spawner::Mount::read_only(&signal, "/cairn/go")];
    spec.api = Some(format!("localhost:{port}"));
    let handle = bench.start(spec).await;
    serving(listener).await;
    bench.line(&handle, "got ping").await;
    // The service starts again.
    let again = tokio::net::TcpListener::bind(("127.0.0.1", port)).await;
    std::fs::write(signal.join("on"), "").unwrap();
    serving(again.unwrap()).await;
    bench.line(&handle, "got pong").await;
    let mut named = bench.command("named", &["getent", "hosts", "cairn.example.org"]);
    named.api = Some("cairn.example.org:443".into());
    let handle = bench.start(named).await;
    assert!(bench.end(&handle).await.success(), "port 443 is open to it");
    assert!(bench.output(&handle).await.starts_with("127.0.0.1 "));
    let mut private = bench.command("private", &["true"]);
    private.api = Some("10.0.0.9:8000".into());
    let refused = bench.runtime.start(private).await;
    assert!(
        matches!(refused, Err(spawner::Error::Invalid(_))),
        "{refused:?}"
    );
}

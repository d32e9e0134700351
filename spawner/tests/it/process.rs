//! The conformance suite, and what only this runtime promises.

use std::process::Command;
use std::time::Duration;

use spawner::{Endpoint, Failure, Phase, Reason, SELF, conformance};

use crate::rig::{Bench, program};

macro_rules! conforms {
    ($($name:ident),* $(,)?) => {
        mod sandboxed {
            $(#[tokio::test] async fn $name() {
                if let Some(bench) = super::Bench::sandboxed() { super::conformance::$name(&bench).await; }
            })*
        }
        mod bare {
            $(#[tokio::test] async fn $name() { super::conformance::$name(&super::Bench::new(false)).await; })*
        }
    };
}

conforms!(
    start_and_end,
    signals_are_told,
    start_is_idempotent,
    survives_restart_via_handle,
    stop_unknown_is_ok,
    stop_is_polite,
    stop_ends_the_whole_tree,
    an_end_ends_the_whole_tree,
    start_failures_are_told,
    environment_and_secrets,
    mounts_are_shown,
    time_limit_is_kept,
    logs_stream_without_loss,
    log_limit_is_kept,
);

fn endpoint(start_timeout_ms: u64) -> Endpoint {
    Endpoint {
        target: "/cairn/run/server.sock".into(),
        ready_path: "/w/x/api".into(),
        start_timeout_ms,
    }
}

#[tokio::test]
async fn a_server_is_ready_once_it_answers_and_has_an_address() {
    for bench in [Bench::new(true), Bench::new(false)] {
        let mut spec = bench.command("server", &[SELF, "serve", "/cairn/run/server.sock", "403"]);
        spec.endpoint = Some(endpoint(60_000));
        let handle = bench.start(spec).await;
        let status = bench.until(&handle, |s| s.ready).await;
        assert_eq!(status.phase, Phase::Running);
        let address = bench.runtime.address(&handle).await.unwrap().unwrap();
        assert!(address.as_os_str().len() < 100);
        tokio::net::UnixStream::connect(&address).await.unwrap();
        bench.runtime.stop(&handle, Duration::ZERO).await.unwrap();
        assert_eq!(bench.runtime.address(&handle).await.unwrap(), None);
        assert!(!address.exists());
    }
}

#[tokio::test]
async fn a_server_that_never_answers_well_is_stopped_and_its_log_quoted() {
    let bench = Bench::new(true);
    let mut spec = bench.shell("mute", "echo 'port in use' >&2; sleep 1000");
    spec.endpoint = Some(endpoint(300));
    let handle = bench.start(spec).await;
    let exit = bench.end(&handle).await;
    assert_eq!(
        (exit.reason, exit.failure),
        (Reason::StartFailed, Some(Failure::NeverListened))
    );
    assert!(exit.message.contains("port in use"), "{}", exit.message);
    let mut spec = bench.command("failing", &[SELF, "serve", "/cairn/run/server.sock", "503"]);
    spec.endpoint = Some(endpoint(300));
    let handle = bench.start(spec).await;
    assert_eq!(
        bench.end(&handle).await.failure,
        Some(Failure::NeverListened)
    );
}

#[tokio::test]
async fn a_flood_of_100_mb_is_lossless() {
    let bench = Bench::new(true);
    let handle = bench
        .start(bench.command("flood", &[SELF, "flood", "1000000"]))
        .await;
    bench.end(&handle).await;
    let (mut next, mut offset) = (0_u64, 0);
    loop {
        let chunk = bench
            .runtime
            .read_log(&handle, offset, 4 << 20)
            .await
            .unwrap();
        for record in chunk.records() {
            assert_eq!(
                std::str::from_utf8(record.text)
                    .unwrap()
                    .parse::<u64>()
                    .unwrap(),
                next
            );
            next += 1;
        }
        offset = chunk.next;
        if chunk.ended {
            break;
        }
    }
    assert_eq!(next, 1_000_000);
}

#[tokio::test]
async fn running_out_of_memory_is_told() {
    let bench = Bench::new(true);
    if !spawner::probe(&bench.config).memory_limits {
        eprintln!("skipped: no memory limits here");
        return;
    }
    let mut spec = bench.command("oom", &[SELF, "eat", "300000000"]);
    spec.limits.memory_bytes = Some(64 << 20);
    let handle = bench.start(spec).await;
    let exit = bench.end(&handle).await;
    assert_eq!(exit.reason, Reason::Oom, "{exit:?}");
    let mut spec = bench.command(
        "oom-child",
        &[
            "sh",
            "-c",
            "sh -c 'x=$(yes | head -c 200000000); echo $x | wc -c'; echo survived",
        ],
    );
    spec.limits.memory_bytes = Some(64 << 20);
    let handle = bench.start(spec).await;
    let exit = bench.end(&handle).await;
    assert!(exit.success(), "{exit:?}");
    let status = bench.runtime.status(&handle).await.unwrap().unwrap();
    assert!(
        status.oom_kills > 0 && exit.message.contains("memory"),
        "{status:?}"
    );
}

#[tokio::test]
async fn too_many_processes_are_refused() {
    let bench = Bench::new(true);
    if !spawner::probe(&bench.config).process_limits {
        eprintln!("skipped: no process limits here");
        return;
    }
    let mut spec = bench.shell("pids", "for i in $(seq 50); do sleep 100 & done; echo all");
    spec.limits.pids = Some(20);
    let handle = bench.start(spec).await;
    bench.end(&handle).await;
    let output = bench.output(&handle).await;
    assert!(output.to_lowercase().contains("cannot fork"), "{output}");
}

#[tokio::test]
async fn a_killed_supervisor_takes_the_work_with_it_and_the_run_is_lost() {
    for bench in [Bench::new(true), Bench::new(false)] {
        let handle = bench
            .start(bench.shell("lost", "(setsid sleep 1234567 &); echo ready; sleep 1000"))
            .await;
        bench.line(&handle, "ready").await;
        let seen = bench.until(&handle, |s| s.phase == Phase::Running).await;
        let state = std::fs::read(bench.runs().join("lost/state.json")).unwrap();
        let state: serde_json::Value = serde_json::from_slice(&state).unwrap();
        let pid = state["supervisor"]["pid"].as_i64().unwrap();
        assert!(
            Command::new("kill")
                .args(["-9", &pid.to_string()])
                .status()
                .unwrap()
                .success()
        );
        let mut seen = seen;
        while seen.phase != Phase::Exited {
            seen = bench.runtime.changed(&handle, &seen).await.unwrap();
        }
        assert_eq!(seen.exit.unwrap().reason, Reason::Lost);
        gone(|| holders("CAIRN_RUN_ID=lost")).await;
        bench.runtime.remove(&handle).await.unwrap();
        assert!(bench.runtime.list().await.unwrap().is_empty());
    }
}

/// Waits until the kernel has taken away what was killed.
async fn gone(left: impl Fn() -> usize) {
    let wait = async {
        while left() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait)
        .await
        .expect("all processes end");
}

fn holders(mark: &str) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let has = |e: std::fs::DirEntry| std::fs::read(e.path().join("environ")).ok();
    entries
        .filter_map(has)
        .filter(|e| e.split(|b| *b == 0).any(|v| v == mark.as_bytes()))
        .count()
}

#[tokio::test]
async fn a_killed_starter_leaves_the_run_alone() {
    let bench = Bench::new(true);
    // A process of its own starts the run and is killed, with its whole session.
    let exe = std::env::current_exe().unwrap();
    let mut starter = Command::new("setsid");
    starter.args([
        exe.to_str().unwrap(),
        "--exact",
        "process::starter_for_another_test",
        "--nocapture",
    ]);
    starter
        .env("STARTER_FOLDER", bench.folder.path())
        .stdout(std::process::Stdio::null());
    let mut starter = starter.spawn().unwrap();
    let handle = spawner::Handle {
        runtime: "process".into(),
        id: "orphan".into(),
    };
    while bench
        .runtime
        .status(&handle)
        .await
        .unwrap()
        .is_none_or(|s| s.phase == Phase::Starting)
    {
        assert!(starter.try_wait().unwrap().is_none(), "the starter ended");
        tokio::task::yield_now().await;
    }
    starter.kill().unwrap();
    starter.wait().unwrap();
    bench.line(&handle, "50").await;
    bench.runtime.stop(&handle, Duration::ZERO).await.unwrap();
    let output = bench.output(&handle).await;
    assert!(
        output
            .lines()
            .map(|l| l.parse::<u32>().unwrap())
            .eq(1..=u32::try_from(output.lines().count()).unwrap())
    );
}

#[tokio::test]
async fn starter_for_another_test() {
    let Some(folder) = std::env::var_os("STARTER_FOLDER") else {
        return;
    };
    let folder = std::path::PathBuf::from(folder);
    let mut config = spawner::Config::new(folder.join("data/runs"), folder.join("s"));
    config.program = Some(program());
    let runtime = spawner::ProcessRuntime::open(config).unwrap();
    let spec = Bench::new(true).shell(
        "orphan",
        "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done",
    );
    spawner::Runtime::start(&runtime, spec).await.unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_hung_supervisor_is_ended_by_force() {
    let bench = Bench::new(true);
    let handle = bench
        .start(bench.shell("hung", "echo ready; sleep 1000"))
        .await;
    bench.line(&handle, "ready").await;
    let state = std::fs::read(bench.runs().join("hung/state.json")).unwrap();
    let state: serde_json::Value = serde_json::from_slice(&state).unwrap();
    let pid = state["supervisor"]["pid"].to_string();
    assert!(
        Command::new("kill")
            .args(["-STOP", &pid])
            .status()
            .unwrap()
            .success()
    );
    bench.runtime.stop(&handle, Duration::ZERO).await.unwrap();
    assert_eq!(bench.end(&handle).await.reason, Reason::Lost);
}

#[tokio::test]
async fn older_and_newer_programs_understand_each_other() {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let bench = Bench::new(true);
    let handle = bench.start(bench.shell("versions", "sleep 1000")).await;
    let plan: serde_json::Value =
        serde_json::from_slice(&std::fs::read(bench.runs().join("versions/spec.json")).unwrap())
            .unwrap();
    let control = std::path::Path::new(plan["sockets"].as_str().unwrap()).join("control");
    let stream = tokio::net::UnixStream::connect(control).await.unwrap();
    let mut stream = BufReader::new(stream);
    let requests = "{\"version\":99,\"op\":\"dance\",\"with\":\"me\"}\nnot json\n{\"op\":\"status\",\"new\":1}\n";
    for (request, want) in requests.lines().zip(["unknown_op", "invalid", "\"phase\""]) {
        stream
            .get_mut()
            .write_all(format!("{request}\n").as_bytes())
            .await
            .unwrap();
        let mut answer = String::new();
        stream.read_line(&mut answer).await.unwrap();
        assert!(answer.contains(want), "{request}: {answer}");
    }
    bench.runtime.stop(&handle, Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn a_link_in_place_of_the_socket_leads_nowhere() {
    let bench = Bench::new(true);
    let mut victim = bench.command("victim", &[SELF, "serve", "/cairn/run/server.sock", "200"]);
    victim.endpoint = Some(endpoint(60_000));
    let victim = bench.start(victim).await;
    bench.until(&victim, |s| s.ready).await;
    let address = bench.runtime.address(&victim).await.unwrap().unwrap();
    let script = format!(
        "ln -s {} /cairn/run/server.sock; sleep 1000",
        address.display()
    );
    let mut thief = bench.shell("thief", &script);
    thief.endpoint = Some(endpoint(300));
    let thief = bench.start(thief).await;
    assert_eq!(
        bench.end(&thief).await.failure,
        Some(Failure::NeverListened)
    );
    bench.runtime.stop(&victim, Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn half_done_starts_are_swept_away() {
    let bench = Bench::new(true);
    let (old, young) = (bench.runs().join(".new-x-1"), bench.runs().join(".new-y-1"));
    for folder in [&old, &young] {
        std::fs::create_dir(folder).unwrap();
    }
    assert!(
        Command::new("touch")
            .args(["-d", "2 hours ago"])
            .arg(&old)
            .status()
            .unwrap()
            .success()
    );
    let later = (bench.rig.again)();
    assert!(!old.exists() && young.exists());
    assert!(later.list().await.unwrap().is_empty());
}

//! What is left when anything is killed at any step: nothing, after the sweep.

use std::process::Command;
use std::time::Duration;

use spawner::{Phase, Reason, SELF, Spec};

use super::rig::{Docked, gone, output, shell, testbed};

#[tokio::test]
async fn a_supervisor_killed_after_any_step_leaves_nothing() {
    let steps = [
        "image",
        "firewall",
        "network",
        "container",
        "started",
        "connected",
        "work",
        "ended",
    ];
    for step in steps {
        let change = |c: &mut spawner::docker::Config| c.crash_at = Some(step.to_owned());
        let Some(bench) = Docked::with(change) else {
            return;
        };
        let script = if step == "ended" {
            "true"
        } else {
            "sleep 1000"
        };
        let handle = bench.start(bench.shell("crash", script)).await;
        let exit = bench.end(&handle).await;
        let want = if step == "ended" {
            Reason::Exited
        } else {
            Reason::Lost
        };
        assert_eq!(exit.reason, want, "{step}: {exit:?}");
        swept(&bench, "crash").await;
        bench.runtime.remove(&handle).await.unwrap();
    }
}

/// Sweeps until nothing is left: the end is told a moment before the supervisor is killed.
async fn swept(bench: &Docked, run: &str) {
    let deadline = std::time::Instant::now() + Duration::from_mins(1);
    let runtime = bench.open();
    loop {
        runtime.sweep().await.unwrap();
        let left = bench.left(run);
        if left.is_empty() {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "left: {left:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn what_nobody_asks_about_is_swept_too() {
    let Some(bench) = Docked::with(|c| c.crash_at = Some("container".into())) else {
        return;
    };
    bench.start(bench.shell("crash", "sleep 1000")).await;
    // The run's folder goes as well: only the engine remembers.
    while bench.left("crash").len() < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    std::fs::remove_dir_all(bench.config.base.runs.join("crash")).unwrap();
    bench.open().sweep().await.unwrap();
    assert_eq!(bench.left("crash"), Vec::<String>::new());
}

#[tokio::test]
async fn a_sweep_leaves_alone_what_runs_and_what_is_anothers() {
    let (Some(bench), Some(other)) = (Docked::new(), Docked::new()) else {
        return;
    };
    let handle = bench
        .start(bench.shell("stays", "echo ready; sleep 1000"))
        .await;
    bench.line(&handle, "ready").await;
    bench.open().sweep().await.unwrap();
    other.open().sweep().await.unwrap();
    assert_eq!(bench.left("stays").len(), 2);
    let status = bench.runtime.status(&handle).await.unwrap().unwrap();
    assert_eq!(status.phase, Phase::Running);
}

#[tokio::test]
async fn a_killed_supervisor_takes_the_container_with_it() {
    let Some(bench) = Docked::new() else { return };
    let handle = bench
        .start(bench.shell("lost", "(setsid sleep 1234 &); echo ready; sleep 1000"))
        .await;
    bench.line(&handle, "ready").await;
    output(Command::new("kill").args(["-9", &bench.supervisor("lost")]));
    let exit = bench.end(&handle).await;
    assert_eq!(exit.reason, Reason::Lost);
    gone(&bench, "lost").await;
}

/// An engine of this test's own, ended with it.
struct Own {
    name: &'static str,
    socket: String,
}

impl Own {
    fn start(name: &'static str) -> Self {
        let script = testbed("docker.sh");
        let socket = output(Command::new(&script).args(["start", name]));
        let socket = socket.trim().trim_start_matches("unix://").to_owned();
        let import = format!("tar cf - -T /dev/null | docker -H unix://{socket} import - empty:1");
        shell(&import);
        Self { name, socket }
    }

    fn kill(&self) {
        let pidfile = self.socket.replace("docker.sock", "docker.pid");
        shell(&format!("kill -9 $(cat {pidfile})"));
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let script = testbed("docker.sh");
        drop(Command::new(script).args(["stop", self.name]).output());
    }
}

#[tokio::test]
async fn a_killed_engine_does_not_stop_the_log_and_its_return_has_a_typed_end() {
    if Docked::new().is_none() {
        return;
    }
    let own = Own::start("crash");
    let socket = own.socket.clone();
    let Some(bench) = Docked::with(|c| c.engine = socket.into()) else {
        return;
    };
    let spec = Spec {
        image: Some("empty:1".into()),
        ..bench.command("ticks", &[SELF, "tick"])
    };
    let handle = bench.start(spec.clone()).await;
    bench.line(&handle, "10").await;
    own.kill();
    let ticks = bench.output(&handle).await.lines().count();
    bench.line(&handle, &(ticks + 50).to_string()).await;
    let status = bench.runtime.status(&handle).await.unwrap().unwrap();
    assert_eq!(status.phase, Phase::Running, "it runs without its engine");
    // An engine without live-restore ends what it finds running.
    let _again = Own::start("crash");
    let exit = bench.end(&handle).await;
    assert_eq!(exit.reason, Reason::Lost, "{exit:?}");
    bench.open().sweep().await.unwrap();
    gone(&bench, "ticks").await;
    let next = bench
        .start(Spec {
            id: "next".into(),
            ..spec
        })
        .await;
    bench.line(&next, "1").await;
    // Stopped while the engine is away: the end comes all the same, the rest is swept.
    own.kill();
    bench.runtime.stop(&next, Duration::ZERO).await.unwrap();
    assert_eq!(bench.end(&next).await.reason, Reason::Stopped);
    let _again = Own::start("crash");
    bench.open().sweep().await.unwrap();
    gone(&bench, "next").await;
}

//! The behaviour that every [`crate::Runtime`] shows: each function is one promise of the trait's contract. A runtime's tests are a list of calls.
//!
//! Panics where the promise is broken. Needs a POSIX shell where the work runs.

#![expect(
    clippy::missing_panics_doc,
    reason = "all of these panic where a promise is broken, and that is said above"
)]

mod rig;

use std::time::Duration;

pub use rig::Rig;

use crate::log::Stream;
use crate::{Error, Failure, Handle, Reason, Secret, Spec};

/// Nothing here takes this long unless it never ends.
const LONG: Duration = Duration::from_mins(1);

/// A command runs, its end is told with its status, and its output is in the log, in order and by stream.
pub async fn start_and_end(rig: &Rig) {
    let handle = rig
        .start(rig.shell("start-and-end", "echo out; echo err >&2; exit 3"))
        .await;
    let exit = rig.end(&handle).await;
    assert_eq!(
        (exit.code, exit.signal, exit.reason),
        (Some(3), None, Reason::Exited)
    );
    let chunk = rig
        .runtime
        .read_log(&handle, 0, 1 << 20)
        .await
        .expect("the log can be read");
    let of = |stream| {
        chunk
            .records()
            .filter(|r| r.stream == stream)
            .map(|r| r.text)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (of(Stream::Stdout), of(Stream::Stderr)),
        (vec![&b"out"[..]], vec![&b"err"[..]])
    );
    assert!(chunk.ended);
    rig.gone(&handle).await;
    assert!(
        rig.runtime
            .status(&handle)
            .await
            .expect("it can be asked")
            .is_none()
    );
}

/// A command that is ended by a signal is not mistaken for one that exits.
pub async fn signals_are_told(rig: &Rig) {
    let handle = rig
        .start(rig.shell("signals-are-told", "kill -SEGV $$"))
        .await;
    let exit = rig.end(&handle).await;
    assert_eq!(
        (exit.code, exit.signal, exit.reason),
        (None, Some(11), Reason::Exited)
    );
    rig.gone(&handle).await;
}

/// Starting twice, at once or after the end, runs once.
pub async fn start_is_idempotent(rig: &Rig) {
    let spec = rig.shell("start-is-idempotent", "echo once");
    let (a, b) = tokio::join!(
        rig.runtime.start(spec.clone()),
        rig.runtime.start(spec.clone())
    );
    let (a, b) = (a.expect("the first starts"), b.expect("so does the second"));
    assert_eq!(a, b);
    rig.end(&a).await;
    assert_eq!(rig.start(spec).await, a);
    assert_eq!(rig.output(&a).await, "once\n");
    rig.gone(&a).await;
}

/// A run is found by another opening of the runtime, followed, and stopped from there; so is a handle that was kept as JSON.
pub async fn survives_restart_via_handle(rig: &Rig) {
    let handle = rig
        .start(rig.shell("survives-restart", "echo ready; sleep 1000"))
        .await;
    rig.line(&handle, "ready").await;
    let later = (rig.again)();
    let kept: Handle =
        serde_json::from_str(&serde_json::to_string(&handle).expect("a handle is JSON"))
            .expect("and back");
    assert!(
        later
            .list()
            .await
            .expect("runs can be listed")
            .contains(&kept)
    );
    later
        .stop(&kept, Duration::from_secs(5))
        .await
        .expect("it can be stopped");
    assert_eq!(rig.end(&handle).await.reason, Reason::Stopped);
    rig.gone(&handle).await;
    assert!(
        !later
            .list()
            .await
            .expect("runs can be listed")
            .contains(&kept)
    );
}

/// Unknown runs are no error where nothing is lost by it.
pub async fn stop_unknown_is_ok(rig: &Rig) {
    for id in ["never-was", "../escape", ""] {
        let handle = Handle {
            runtime: rig.runtime.name().into(),
            id: id.into(),
        };
        rig.runtime
            .stop(&handle, Duration::ZERO)
            .await
            .expect("nothing to stop");
        rig.runtime
            .remove(&handle)
            .await
            .expect("nothing to remove");
        assert!(
            rig.runtime
                .status(&handle)
                .await
                .expect("nothing to ask")
                .is_none()
        );
        assert!(matches!(
            rig.runtime.read_log(&handle, 0, 1).await,
            Err(Error::NotFound(_))
        ));
    }
}

/// A stop asks first: the command may end as it likes, within the grace.
pub async fn stop_is_polite(rig: &Rig) {
    let script = "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.02; done";
    let handle = rig.start(rig.shell("stop-is-polite", script)).await;
    rig.line(&handle, "ready").await;
    rig.runtime
        .stop(&handle, LONG)
        .await
        .expect("it can be stopped");
    let exit = rig.end(&handle).await;
    assert_eq!((exit.code, exit.reason), (Some(7), Reason::Stopped));
    assert!(rig.output(&handle).await.contains("bye\n"));
    rig.runtime
        .stop(&handle, LONG)
        .await
        .expect("stop twice is ok");
    rig.gone(&handle).await;
}

/// After the grace nothing is left, however it ignores signals or hides from its parent.
pub async fn stop_ends_the_whole_tree(rig: &Rig) {
    let script = "trap '' TERM; (setsid sh -c 'trap \"\" TERM; echo daemon; sleep 1000' &) ; sleep 0.01; sleep 1000";
    let handle = rig.start(rig.shell("stop-ends-the-tree", script)).await;
    rig.line(&handle, "daemon").await;
    let conflict = rig.runtime.remove(&handle).await;
    assert!(
        matches!(conflict, Err(Error::Conflict(_))),
        "a running run cannot be removed: {conflict:?}"
    );
    rig.runtime
        .stop(&handle, Duration::from_millis(50))
        .await
        .expect("it can be stopped");
    assert_eq!(rig.end(&handle).await.reason, Reason::Stopped);
    rig.gone(&handle).await;
}

/// What the command leaves behind ends with it.
pub async fn an_end_ends_the_whole_tree(rig: &Rig) {
    let script = "(setsid sh -c 'sleep 1000' &); echo done";
    let handle = rig.start(rig.shell("an-end-ends-the-tree", script)).await;
    let exit = rig.end(&handle).await;
    assert_eq!((exit.code, exit.reason), (Some(0), Reason::Exited));
    rig.gone(&handle).await;
}

/// Failed starts are told apart, and leave a log and an end like every run.
pub async fn start_failures_are_told(rig: &Rig) {
    let mut missing = rig.command("failure-mount", &["true"]);
    missing.mounts.push(crate::Mount::read_only(
        rig.folder.join("never-was"),
        "/cairn/inputs/a",
    ));
    let mut folder = rig.command("failure-folder", &["true"]);
    folder.cwd = "/never/was".into();
    let program = rig.command("failure-program", &["never-was", "--really"]);
    let table = [
        (missing, Failure::MountMissing),
        (folder, Failure::FolderNotFound),
        (program, Failure::ProgramNotFound),
    ];
    for (spec, failure) in table {
        let handle = rig.start(spec).await;
        let exit = rig.end(&handle).await;
        assert_eq!(
            (exit.reason, exit.failure),
            (Reason::StartFailed, Some(failure)),
            "{exit:?}"
        );
        assert!(!exit.message.is_empty());
        rig.gone(&handle).await;
    }
    let relative = Spec {
        cwd: "relative".into(),
        ..rig.command("failure-invalid", &["true"])
    };
    assert!(matches!(
        rig.runtime.start(relative).await,
        Err(Error::Invalid(_))
    ));
}

/// The environment is exactly what was asked for (and the run's own mark), and secrets are files of the work's alone.
pub async fn environment_and_secrets(rig: &Rig) {
    let script = "env | grep -v -e ^PWD= -e ^SHLVL= -e ^_= -e ^CAIRN_RUN_ID= -e ^TOKEN= | sort; stat -c %a \"$TOKEN\"; cat \"$TOKEN\"";
    let mut spec = rig.shell("environment-and-secrets", script);
    spec.env.insert("GREETING".into(), "hello world".into());
    spec.env
        .insert("TOKEN".into(), format!("{}/token", crate::SECRETS));
    spec.secrets.push(Secret {
        name: "token".into(),
        bytes: b"s3cret\n".to_vec(),
    });
    let handle = rig.start(spec).await;
    rig.end(&handle).await;
    let want = "GREETING=hello world\nPATH=/usr/local/bin:/usr/bin:/bin\n400\ns3cret\n";
    assert_eq!(rig.output(&handle).await, want);
    rig.gone(&handle).await;
}

/// Folders are shown where they should be, for reading or for writing.
pub async fn mounts_are_shown(rig: &Rig) {
    let (input, output) = (rig.folder.join("input"), rig.folder.join("output"));
    for folder in [&input, &output] {
        std::fs::create_dir_all(folder).expect("a folder can be made");
    }
    std::fs::write(input.join("a.txt"), "content").expect("a file can be written");
    let mut spec = rig.command(
        "mounts-are-shown",
        &["cp", "/cairn/inputs/in/a.txt", "/cairn/outputs/b.txt"],
    );
    spec.mounts = vec![
        crate::Mount::read_write(&output, "/cairn/outputs"),
        crate::Mount::read_only(&input, "/cairn/inputs/in"),
    ];
    let handle = rig.start(spec).await;
    let exit = rig.end(&handle).await;
    assert!(exit.success(), "{exit:?} {}", rig.output(&handle).await);
    assert_eq!(
        std::fs::read_to_string(output.join("b.txt")).expect("it was written"),
        "content"
    );
    rig.gone(&handle).await;
}

/// What takes too long is stopped, and said to have taken too long.
pub async fn time_limit_is_kept(rig: &Rig) {
    let mut spec = rig.shell("time-limit", "sleep 1000");
    spec.limits.time_limit_ms = Some(50);
    let handle = rig.start(spec).await;
    let exit = rig.end(&handle).await;
    assert_eq!((exit.reason, exit.signal), (Reason::TimeLimit, Some(15)));
    rig.gone(&handle).await;
}

/// Every byte of a flood arrives, in order, and can be read from any offset.
pub async fn logs_stream_without_loss(rig: &Rig) {
    let handle = rig.start(rig.shell("logs-stream", "seq 1 300000")).await;
    rig.end(&handle).await;
    let output = rig.output(&handle).await;
    assert!(
        output
            .lines()
            .map(|l| l.parse::<u32>().expect("a number"))
            .eq(1..=300_000)
    );
    let part = rig
        .runtime
        .read_log(&handle, 1000, 100)
        .await
        .expect("the log can be read");
    assert!(part.offset >= 1000 && part.next > part.offset && !part.ended);
    rig.gone(&handle).await;
}

/// The log has a limit that the work does not notice.
pub async fn log_limit_is_kept(rig: &Rig) {
    let mut spec = rig.shell("log-limit", "seq 1 100000; exit 5");
    spec.limits.log_limit_bytes = Some(10_000);
    let handle = rig.start(spec).await;
    assert_eq!(rig.end(&handle).await.code, Some(5));
    let chunk = rig
        .runtime
        .read_log(&handle, 0, 1 << 20)
        .await
        .expect("the log can be read");
    assert!(chunk.bytes.len() < 11_000, "{} bytes", chunk.bytes.len());
    assert!(
        chunk.records().any(|r| r.stream == Stream::System),
        "the log says that it is cut"
    );
    rig.gone(&handle).await;
}

//! Starts that cannot be: each a typed failure, and nothing left.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::Duration;

use spawner::{Error, Exit, Failure, Gpu, Reason, SELF, Spec};

use super::rig::{Docked, gone, shell};

async fn refused(bench: &Docked, spec: Spec) -> Exit {
    let id = spec.id.clone();
    let handle = bench.start(spec).await;
    let exit = bench.end(&handle).await;
    assert_eq!(exit.reason, Reason::StartFailed, "{exit:?}");
    assert!(bench.config.engine.exists() || exit.failure == Some(Failure::EngineFailed));
    let log = bench.runtime.read_log(&handle, 0, 1 << 20).await.unwrap();
    assert!(!log.bytes.is_empty(), "the log says why");
    if bench.config.engine.starts_with("/run") {
        gone(bench, &id).await;
    }
    bench.runtime.remove(&handle).await.unwrap();
    exit
}

fn with_image(bench: &Docked, id: &str, image: &str) -> Spec {
    Spec {
        image: Some(image.into()),
        ..bench.command(id, &["true"])
    }
}

#[tokio::test]
async fn an_image_that_is_nowhere() {
    let Some(bench) = Docked::new() else { return };
    let exit = refused(
        &bench,
        with_image(&bench, "nowhere", "127.0.0.1:1/never/was:1"),
    )
    .await;
    assert_eq!(exit.failure, Some(Failure::ImageMissing), "{exit:?}");
    let id = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    let exit = refused(&bench, with_image(&bench, "no-id", id)).await;
    assert_eq!(exit.failure, Some(Failure::ImageMissing), "{exit:?}");
    let none = Spec {
        image: None,
        ..bench.command("none", &["true"])
    };
    assert!(matches!(
        bench.runtime.start(none).await,
        Err(Error::Invalid(_))
    ));
}

#[tokio::test]
async fn an_image_for_another_machine_and_one_without_programs() {
    let Some(bench) = Docked::new() else { return };
    let docker = format!("docker -H unix://{}", bench.config.engine.display());
    let other = if cfg!(target_arch = "x86_64") {
        "arm64"
    } else {
        "amd64"
    };
    // As `docker save` would write it elsewhere.
    shell(&format!(
        "cd {folder} && tar cf layer.tar -T /dev/null && sum=$(sha256sum layer.tar | cut -d' ' -f1) \
         && echo '{{\"architecture\":\"{other}\",\"os\":\"linux\",\"config\":{{}},\"rootfs\":{{\"type\":\"layers\",\"diff_ids\":[\"sha256:'$sum'\"]}}}}' > config.json \
         && echo '[{{\"Config\":\"config.json\",\"RepoTags\":[\"cairn-test-other:1\"],\"Layers\":[\"layer.tar\"]}}]' > manifest.json && tar c config.json manifest.json layer.tar | {docker} load",
        folder = bench.rig.folder.display(),
    ));
    let exit = refused(&bench, with_image(&bench, "other", "cairn-test-other:1")).await;
    assert_eq!(exit.failure, Some(Failure::ImageUnusable), "{exit:?}");
    assert!(exit.message.contains(other), "{exit:?}");
    shell(&format!(
        "tar cf - -T /dev/null | {docker} import - cairn-test-empty:1"
    ));
    let exit = refused(&bench, with_image(&bench, "empty", "cairn-test-empty:1")).await;
    assert_eq!(exit.failure, Some(Failure::ProgramNotFound), "{exit:?}");
    // Not even a shell is needed.
    let spec = Spec {
        argv: vec![SELF.into(), "flood".into(), "3".into()],
        ..with_image(&bench, "bare", "cairn-test-empty:1")
    };
    let handle = bench.start(spec).await;
    assert!(bench.end(&handle).await.success());
    assert_eq!(bench.output(&handle).await.lines().count(), 3);
}

#[tokio::test]
async fn cards_that_the_engine_cannot_give() {
    let Some(bench) = Docked::new() else { return };
    if bench
        .docker(&["info", "--format", "{{json .Runtimes}}"])
        .contains("nvidia")
    {
        eprintln!("skipped: this engine has cards; see make gpu-check");
        return;
    }
    let mut spec = bench.command("cards", &["true"]);
    spec.gpus = vec![Gpu {
        id: "GPU-0".into(),
        minor: None,
    }];
    let exit = refused(&bench, spec).await;
    assert_eq!(exit.failure, Some(Failure::EngineFailed), "{exit:?}");
}

#[tokio::test]
async fn a_full_pool_and_a_free_one() {
    // Room for one network only.
    let small = |c: &mut spawner::docker::Config| c.network.pool = "10.214.77.16/28".into();
    let Some(bench) = Docked::with(small) else {
        return;
    };
    let first = bench
        .start(bench.shell("first", "echo ready; sleep 1000"))
        .await;
    bench.line(&first, "ready").await;
    let exit = refused(&bench, bench.command("second", &["true"])).await;
    assert_eq!(exit.failure, Some(Failure::Refused), "{exit:?}");
    bench.runtime.stop(&first, Duration::ZERO).await.unwrap();
    bench.runtime.remove(&first).await.unwrap();
    let third = bench.start(bench.command("third", &["true"])).await;
    assert!(bench.end(&third).await.success());
}

/// An engine that does nothing but `answer`.
fn engine(folder: &std::path::Path, name: &str, answer: &'static [u8]) -> PathBuf {
    let path = folder.join(name);
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        let mut silent = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(answer);
            if answer.is_empty() {
                silent.push(stream);
            }
        }
    });
    path
}

#[tokio::test]
async fn an_engine_that_is_down_slow_broken_or_mad() {
    let folder = tempfile::tempdir().unwrap();
    let engines = [
        ("down", folder.path().join("nothing"), "be reached"),
        ("slow", engine(folder.path(), "slow", b""), "does not answer"),
        (
            "broken",
            engine(folder.path(), "broken", b"HTTP/1.1 500 No\r\nContent-Length: 18\r\nContent-Type: application/json\r\n\r\n{\"message\":\"boom\"}"),
            "boom",
        ),
        (
            "mad",
            engine(folder.path(), "mad", b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n[\"\x00\xff]]]"),
            "makes no sense",
        ),
        ("noise", engine(folder.path(), "noise", b"\x16\x03\x01 what is this\r\n\r\n"), "be reached"),
    ];
    for (id, path, says) in engines {
        let change = |c: &mut spawner::docker::Config| {
            c.engine = path;
            c.patience = Duration::from_secs(2);
        };
        let Some(bench) = Docked::with(change) else {
            return;
        };
        let exit = refused(&bench, bench.command(id, &["true"])).await;
        assert_eq!(exit.failure, Some(Failure::EngineFailed), "{exit:?}");
        assert!(exit.message.contains(says), "{id}: {exit:?}");
        assert!(bench.open().sweep().await.unwrap_err().retryable());
        let found = spawner::docker::probe(&bench.config);
        assert!(!found.works() && !found.notes.is_empty());
    }
}

#[tokio::test]
async fn a_start_can_be_stopped_while_the_engine_is_silent() {
    let folder = tempfile::tempdir().unwrap();
    let path = engine(folder.path(), "slow", b"");
    let change = |c: &mut spawner::docker::Config| {
        c.engine = path;
        c.patience = Duration::from_secs(10);
    };
    let Some(bench) = Docked::with(change) else {
        return;
    };
    let handle = bench.start(bench.command("waiting", &["true"])).await;
    bench.runtime.stop(&handle, Duration::ZERO).await.unwrap();
    assert_eq!(bench.end(&handle).await.reason, Reason::Stopped);
}

//! Cards: only the leased ones are visible. With devices that stand in for them, and, under `make gpu-check`, with a real one.

use std::process::Command;

use spawner::{Gpu, Reason, Spec};

use crate::docker::rig::Docked;
use crate::rig::{Bench, is_root};

fn gpu(id: &str, minor: u32) -> Gpu {
    Gpu {
        id: id.into(),
        minor: Some(minor),
    }
}

/// A device as a card's would be, gone with this.
struct Device(String);

impl Device {
    fn new(minor: u32) -> Self {
        let path = format!("/dev/nvidia{minor}");
        let mut mknod = Command::new("mknod");
        mknod.args(["-m", "666", &path, "c", "1", "3"]);
        assert!(mknod.status().unwrap().success());
        Self(path)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

#[tokio::test]
async fn a_process_sees_only_its_leased_devices() {
    let Some(bench) = Bench::sandboxed().filter(|_| is_root()) else {
        return;
    };
    let _devices = [Device::new(240), Device::new(241)];
    let script = "ls /dev | grep '^nvidia24'; echo x > /dev/nvidia241 && echo $NVIDIA_VISIBLE_DEVICES $CUDA_VISIBLE_DEVICES";
    let mut spec = bench.shell("leased", script);
    spec.gpus = vec![gpu("GPU-bb", 241)];
    let handle = bench.start(spec).await;
    bench.end(&handle).await;
    let output = bench.output(&handle).await;
    assert_eq!(output, "nvidia241\nGPU-bb GPU-bb\n");
    let script = "ls /dev | grep '^nvidia24'; echo [$NVIDIA_VISIBLE_DEVICES]";
    let handle = bench.start(bench.shell("without", script)).await;
    bench.end(&handle).await;
    assert_eq!(bench.output(&handle).await, "[]\n");
}

/// The card that `make gpu-check` found.
fn real() -> Option<Gpu> {
    let named = |name: &str| std::env::var(name).ok();
    let Some(id) = named("CAIRN_TEST_GPU") else {
        eprintln!("skipped: no card here; see make gpu-check");
        return None;
    };
    let minor = named("CAIRN_TEST_GPU_MINOR").and_then(|m| m.parse().ok());
    Some(Gpu { id, minor })
}

const LIST: &str = "nvidia-smi --query-gpu=uuid --format=csv,noheader";

#[tokio::test]
async fn a_real_card_is_seen_by_a_process() {
    let (Some(card), Some(bench)) = (real(), Bench::sandboxed()) else {
        return;
    };
    let spec = Spec {
        gpus: vec![card.clone()],
        ..bench.shell("card", LIST)
    };
    let handle = bench.start(spec).await;
    let exit = bench.end(&handle).await;
    assert_eq!(exit.reason, Reason::Exited, "{exit:?}");
    assert_eq!(bench.output(&handle).await.trim(), card.id);
}

#[tokio::test]
async fn a_real_card_is_seen_in_a_container() {
    let Some(card) = real() else { return };
    let Some(bench) = Docked::new() else { return };
    let spec = Spec {
        gpus: vec![card.clone()],
        ..bench.shell("card", LIST)
    };
    let handle = bench.start(spec).await;
    bench.end(&handle).await;
    assert_eq!(bench.output(&handle).await.trim(), card.id);
}

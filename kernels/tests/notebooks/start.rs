//! Kernels that start in other ways, late, or not at all.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::bed::{Bed, is_running, wait_for};

#[test]
fn a_stop_while_the_kernel_starts_ends_it() {
    let Some(bed) = Bed::new() else { return };
    let kernel = bed.path("data/kernels/slow");
    std::fs::create_dir_all(&kernel).unwrap();
    let spec = json!({"argv": ["sleep", "54321"], "display_name": "slow", "language": "python"});
    std::fs::write(kernel.join("kernel.json"), spec.to_string()).unwrap();
    bed.write("in.ipynb", &super::bed::notebook(&["1"]).to_string());
    let mut command = bed.command(&["--kernel", "slow"], "out.ipynb");
    let child = command
        .env("JUPYTER_PATH", bed.path("data"))
        .spawn()
        .unwrap();
    wait_for(Duration::from_secs(20), "the kernel", || {
        is_running("sleep\u{0}54321".as_ref())
    });
    assert!(
        Command::new("kill")
            .arg(child.id().to_string())
            .status()
            .unwrap()
            .success()
    );
    let ran = bed.ran(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(143), "{}", ran.stderr);
    assert!(!is_running("sleep\u{0}54321".as_ref()));
    let mut command = bed.command(
        &["--kernel", "slow", "--start-timeout-ms", "300"],
        "out.ipynb",
    );
    let ran = bed.ran(
        command
            .env("JUPYTER_PATH", bed.path("data"))
            .output()
            .unwrap(),
    );
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("did not answer within 0.3 s"),
        "{}",
        ran.stderr
    );
    assert!(!is_running("sleep\u{0}54321".as_ref()));
}

#[test]
fn a_kernel_that_cannot_start_says_why() {
    let Some(bed) = Bed::new() else { return };
    let kernel = bed.path("data/kernels/broken");
    std::fs::create_dir_all(&kernel).unwrap();
    let argv = ["python", "-c", "import a_module_that_is_missing"];
    let spec = json!({"argv": argv, "display_name": "broken", "language": "python"});
    std::fs::write(kernel.join("kernel.json"), spec.to_string()).unwrap();
    bed.write("in.ipynb", &super::bed::notebook(&["1"]).to_string());
    let mut command = bed.command(&["--kernel", "broken"], "out.ipynb");
    let ran = bed.ran(
        command
            .env("JUPYTER_PATH", bed.path("data"))
            .output()
            .unwrap(),
    );
    assert_eq!(ran.code, Some(3));
    assert!(
        ran.stderr
            .contains("No module named 'a_module_that_is_missing'"),
        "{}",
        ran.stderr
    );
}

/// Describes a kernel that is ipykernel behind a script, and gives the folder for `JUPYTER_PATH`.
fn described(bed: &Bed, script: &str, more: &Value) -> std::path::PathBuf {
    let kernel = bed.path("data/kernels/own");
    std::fs::create_dir_all(&kernel).unwrap();
    let mut spec = json!({
        "argv": ["python", "-c", script, "{connection_file}"], "display_name": "own", "language": "own",
    });
    spec.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    std::fs::write(kernel.join("kernel.json"), spec.to_string()).unwrap();
    bed.path("data")
}

const IPYKERNEL: &str = "import sys\nfrom ipykernel.kernelapp import launch_new_instance as run\nfile = sys.argv[1]\n\
                         sys.argv = ['k', '-f', file]\n";

#[test]
fn a_kernel_without_sockets_in_folders_is_reached_over_loopback() {
    let Some(bed) = Bed::new() else { return };
    let script = format!("{IPYKERNEL}if '\"ipc\"' in open(file).read(): sys.exit(2)\nrun()");
    let data = described(&bed, &script, &json!({}));
    bed.write("in.ipynb", &super::bed::notebook(&["print(1)"]).to_string());
    let mut command = bed.command(&["--kernel", "own"], "out.ipynb");
    let ran = bed.ran(command.env("JUPYTER_PATH", data).output().unwrap());
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(0), "1\n"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_kernel_that_wants_messages_is_interrupted_by_one() {
    let Some(bed) = Bed::new() else { return };
    let script = format!("{IPYKERNEL}run()");
    let data = described(
        &bed,
        &script,
        &json!({"interrupt_mode": "message", "env": {"OWN": "a${HOME}b"}}),
    );
    bed.write(
        "in.ipynb",
        &super::bed::notebook(&["import os, time\nprint(os.environ['OWN'])\ntime.sleep(60)"])
            .to_string(),
    );
    let mut command = bed.command(
        &["--kernel", "own", "--cell-timeout-ms", "700"],
        "out.ipynb",
    );
    let ran = bed.ran(
        command
            .env("JUPYTER_PATH", data)
            .env("HOME", "/h")
            .output()
            .unwrap(),
    );
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(1), "a/hb\n"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.outputs(0)[1]["ename"], "KeyboardInterrupt");
}

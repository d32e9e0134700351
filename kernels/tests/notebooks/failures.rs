//! Cells that fail, kernels that die, limits, stops, full disks.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::bed::{Bed, is_running, joined, wait_for};

fn errors(ran: &super::bed::Ran, index: usize) -> Vec<&Value> {
    ran.outputs(index)
        .iter()
        .filter(|output| output["output_type"] == "error")
        .collect()
}

#[test]
fn an_exception_ends_the_run_at_its_cell() {
    let Some(bed) = Bed::new() else { return };
    let ran = bed.run_cells(
        &[
            "print(1)",
            "#tag raises-exception\n1 / 0",
            "x = 5\nraise ValueError('bad é')",
            "print('never')",
        ],
        &[],
    );
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert_eq!(ran.stdout, "1\n");
    assert!(
        ran.stderr
            .contains("error: cell 3 of 4 (`x = 5`) raised ValueError: bad é"),
        "{}",
        ran.stderr
    );
    assert_eq!(errors(&ran, 1)[0]["ename"], "ZeroDivisionError");
    assert_eq!(errors(&ran, 2)[0]["evalue"], "bad é");
    assert!(
        !errors(&ran, 2)[0]["traceback"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        [ran.status(0), ran.status(1), ran.status(2), ran.status(3)],
        ["completed", "completed", "failed", "pending"]
    );
    assert_eq!(
        ran.notebook["metadata"]["papermill"]["exception"],
        json!(true)
    );
}

#[test]
fn exit_zero_ends_the_run_well() {
    let Some(bed) = Bed::new() else { return };
    let ran = bed.run_cells(&["import sys; sys.exit(0)", "print('never')"], &[]);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(0), ""),
        "{}",
        ran.stderr
    );
    assert_eq!(
        bed.run_cells(&["import sys; sys.exit(3)"], &[]).code,
        Some(1)
    );
}

#[test]
fn asking_for_input_fails_and_does_not_wait() {
    let Some(bed) = Bed::new() else { return };
    let ran = bed.run_cells(&["input('name? ')"], &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert_eq!(errors(&ran, 0)[0]["ename"], "StdinNotImplementedError");
}

#[test]
fn a_dead_kernel_ends_the_run_within_two_seconds() {
    let Some(bed) = Bed::new() else { return };
    let deaths = [
        (
            "import os; print('x', flush=True); os._exit(7)",
            "exited with status 7",
        ),
        ("import os; os.kill(os.getpid(), 9)", "was killed"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        (
            "import os; os.kill(os.getpid(), 15); import time; time.sleep(60)",
            "SIGTERM",
        ),
    ];
    for (source, reason) in deaths {
        let cell = format!("import time; open('t', 'w').write(repr(time.time()))\n{source}");
        let ran = bed.run_cells(&["print('fine')", &cell, "print('never')"], &[]);
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        let then: f64 = std::fs::read_to_string(bed.path("t"))
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(ran.code, Some(3), "{source}: {}", ran.stderr);
        assert!(now - then < 2.0, "{source}: {} s", now - then);
        assert!(
            ran.stderr
                .contains("error: the kernel died in cell 2 of 3 (`import time; open"),
            "{}",
            ran.stderr
        );
        assert!(ran.stderr.contains(reason), "{}", ran.stderr);
        let error = errors(&ran, 1)[0];
        assert_eq!(error["ename"], "DeadKernelError");
        assert!(
            error["evalue"].as_str().unwrap().contains(reason),
            "{error}"
        );
        assert_eq!(ran.status(1), "failed");
    }
}

#[test]
fn a_cell_over_its_time_is_interrupted_then_killed() {
    let Some(bed) = Bed::new() else { return };
    let ran = bed.run_cells(
        &["import time\nprint('a', flush=True)\ntime.sleep(60)"],
        &["--cell-timeout-ms", "500"],
    );
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("ran longer than its time limit of 0.5 s"),
        "{}",
        ran.stderr
    );
    let names: Vec<_> = errors(&ran, 0)
        .iter()
        .map(|error| error["ename"].clone())
        .collect();
    assert_eq!(names, ["KeyboardInterrupt", "TimeLimitError"]);
    let began = Instant::now();
    let stubborn = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: time.sleep(1)";
    let ran = bed.run_cells(&[stubborn], &["--cell-timeout-ms", "500"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!(errors(&ran, 0)[0]["ename"], "TimeLimitError");
}

#[test]
fn a_stop_interrupts_saves_and_leaves_no_process() {
    let Some(bed) = Bed::new() else { return };
    let source = "import subprocess, time\nsubprocess.Popen(['sleep', '98765'])\nprint('ready', flush=True)\nopen('ready', 'w').close()\ntime.sleep(60)";
    bed.write(
        "in.ipynb",
        &super::bed::notebook(&[source, "print('never')"]).to_string(),
    );
    let child = bed.start(&[]);
    wait_for(Duration::from_mins(1), "the cell", || {
        bed.path("ready").exists()
    });
    let began = Instant::now();
    assert!(
        Command::new("kill")
            .arg(child.id().to_string())
            .status()
            .unwrap()
            .success()
    );
    let ran = bed.ran(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(143), "{}", ran.stderr);
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(ran.streams(0)[0].1, "ready\n");
    assert_eq!(errors(&ran, 0)[0]["ename"], "KeyboardInterrupt");
    assert_eq!(ran.status(0), "failed");
    assert!(!is_running("sleep\u{0}98765".as_ref()));
}

#[test]
fn a_long_cell_is_saved_while_it_runs() {
    let Some(bed) = Bed::new() else { return };
    let source = "import os, time\nprint('half', flush=True)\nwhile not os.path.exists('go'): time.sleep(0.05)";
    bed.write("in.ipynb", &super::bed::notebook(&[source]).to_string());
    let child = bed.start(&[]);
    wait_for(Duration::from_mins(1), "the saved half", || {
        let text = std::fs::read_to_string(bed.path("out.ipynb")).unwrap_or_default();
        let notebook: Value = serde_json::from_str(&text).unwrap_or_default();
        let output = &notebook["cells"][0]["outputs"][0]["text"];
        !output.is_null() && joined(output) == "half\n"
    });
    bed.write("go", "");
    assert_eq!(bed.ran(child.wait_with_output().unwrap()).code, Some(0));
}

#[test]
fn a_full_disk_is_said_and_fails_the_run() {
    let Some(bed) = Bed::new() else { return };
    let disk = bed.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
        .arg(&disk)
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no small file system can be mounted here");
        return;
    }
    bed.write(
        "in.ipynb",
        &super::bed::notebook(&["print('x' * 1_000_000)", "print('after')"]).to_string(),
    );
    let output = bed.command(&[], "disk/out.ipynb").output().unwrap();
    let names: Vec<_> = std::fs::read_dir(&disk)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        Command::new("umount")
            .arg(&disk)
            .status()
            .unwrap()
            .success()
    );
    let ran = bed.ran(output);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("could not be saved: No space left on device"),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.ends_with("x\nafter\n"), "the cells run on");
    assert_eq!(names, ["out.ipynb"]);
}

#[test]
fn a_reader_that_went_away_does_not_fail_the_run() {
    let Some(bed) = Bed::new() else { return };
    let waits = "import os, time\nopen('ready', 'w').close()\nwhile not os.path.exists('go'): time.sleep(0.02)";
    let cells = [waits, "print('x' * 1_000_000)", "print('after')"];
    bed.write("in.ipynb", &super::bed::notebook(&cells).to_string());
    let mut child = bed.start(&[]);
    wait_for(Duration::from_mins(1), "the cell", || {
        bed.path("ready").exists()
    });
    drop(child.stdout.take());
    bed.write("go", "");
    let ran = bed.ran(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.streams(2), [("stdout".into(), "after\n".into())]);
}

#[test]
fn a_stop_that_reaches_the_kernel_first_is_a_stop() {
    let Some(bed) = Bed::new() else { return };
    let source = "import os, time\nopen('pid', 'w').write(str(os.getpid()))\nopen('ready', 'w').close()\ntime.sleep(60)";
    bed.write("in.ipynb", &super::bed::notebook(&[source]).to_string());
    let child = bed.start(&[]);
    wait_for(Duration::from_mins(1), "the cell", || {
        bed.path("ready").exists()
    });
    let kernel = std::fs::read_to_string(bed.path("pid")).unwrap();
    let both = [kernel, child.id().to_string()];
    assert!(Command::new("kill").args(both).status().unwrap().success());
    let ran = bed.ran(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(143), "{}", ran.stderr);
    assert_eq!(ran.status(0), "failed");
}

/// A control group that may use `bytes` of memory, where such groups can be made.
fn small_memory(bytes: u64) -> Option<std::path::PathBuf> {
    let name = format!("cairn-test-{}", std::process::id());
    let versions = [("memory", "memory.limit_in_bytes"), ("", "memory.max")];
    versions.into_iter().find_map(|(controller, limit)| {
        let group = std::path::Path::new("/sys/fs/cgroup")
            .join(controller)
            .join(&name);
        std::fs::create_dir(&group).ok()?;
        if group.join(limit).exists()
            && std::fs::write(group.join(limit), bytes.to_string()).is_ok()
        {
            return Some(group);
        }
        std::fs::remove_dir(&group).ok();
        None
    })
}

#[test]
fn a_kernel_that_takes_too_much_memory_is_said_to() {
    let Some(bed) = Bed::new() else { return };
    let Some(group) = small_memory(300 << 20) else {
        eprintln!("skipped: no control group with a memory limit can be made here");
        return;
    };
    let source = "import time\nopen('t', 'w').write(repr(time.time()))\nwhole = []\nwhile True: whole.append(b'x' * 10_000_000)";
    bed.write(
        "in.ipynb",
        &super::bed::notebook(&["print(1)", source]).to_string(),
    );
    let inner = bed.command(&[], "out.ipynb");
    let mut command = Command::new("sh");
    command
        .args(["-c", "echo $$ > \"$0\"/cgroup.procs && exec \"$@\""])
        .arg(&group)
        .arg(inner.get_program());
    command.args(inner.get_args());
    command.envs(
        inner
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let output = command.output().unwrap();
    let ran = bed.ran(output);
    wait_for(Duration::from_secs(10), "the group's end", || {
        std::fs::remove_dir(&group).is_ok()
    });
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let message =
        "the kernel died in cell 2 of 2 (`import time`): it was killed because memory ran out";
    assert!(ran.stderr.contains(message), "{}", ran.stderr);
    assert!(
        errors(&ran, 1)[0]["evalue"]
            .as_str()
            .unwrap()
            .contains("memory ran out")
    );
}

//! The same runner with the kernel of R, where one is installed (Debian's `r-cran-irkernel`).

use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::bed::{Bed, Ran, joined, notebook, wait_for};

/// Whether there is a kernel of R on this machine.
pub(crate) fn is_there() -> bool {
    let is_there = ["/usr/share", "/usr/local/share"].iter().any(|share| {
        Path::new(share)
            .join("jupyter/kernels/ir/kernel.json")
            .exists()
    });
    if !is_there {
        eprintln!("skipped: no kernel of R; Debian's r-cran-irkernel brings it");
    }
    is_there
}

/// A notebook of R with these cells.
pub(crate) fn in_r(cells: &[&str]) -> Value {
    let mut notebook = notebook(cells);
    notebook["metadata"]["kernelspec"] =
        json!({"display_name": "R", "language": "R", "name": "ir"});
    notebook
}

fn run(cells: &[&str], flags: &[&str]) -> Option<Ran> {
    let bed = Bed::new().filter(|_| is_there())?;
    bed.write("in.ipynb", &in_r(cells).to_string());
    Some(bed.run(flags))
}

#[test]
fn cells_share_what_they_define_and_keep_rich_outputs() {
    let cells = [
        "x <- c(1, 2, 3)\ncat('sum', sum(x), '\\n')",
        "data.frame(a = x, b = x * 2)",
        "message('on stderr')\nwarning('careful')",
        "plot(x)",
    ];
    let Some(ran) = run(&cells, &[]) else { return };
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stdout, "sum 6 \n");
    let table = &ran.outputs(1)[0]["data"];
    assert!(joined(&table["text/html"]).contains("<td>"), "{table}");
    assert!(ran.stderr.contains("on stderr"), "{}", ran.stderr);
    let plots = ran.outputs(3).iter();
    let plots = plots.filter(|output| output["data"]["image/png"].is_string());
    assert_eq!(plots.count(), 1, "{}", ran.cell(3));
}

#[test]
fn parameters_arrive_with_their_types() {
    let Some(bed) = Bed::new().filter(|_| is_there()) else {
        return;
    };
    let cells = [
        "#tag parameters\nname <- 'x'\nn <- 1\non <- FALSE\nitems <- list()\nnothing <- 1",
        "cat(name, n + 1, on && TRUE, length(items), items[[2]], is.null(nothing), sep = '|')",
    ];
    bed.write("in.ipynb", &in_r(&cells).to_string());
    bed.write(
        "p.json",
        r#"{"name": "it's \"é\" \\ $x", "n": 41, "on": true, "items": ["a", 2.5], "nothing": null}"#,
    );
    let parameters = bed.path("p.json").to_string_lossy().into_owned();
    let ran = bed.run(&["--parameters", &parameters]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stdout, "it's \"é\" \\ $x|42|TRUE|2|2.5|TRUE\n");
}

#[test]
fn an_error_ends_the_run_with_its_traceback() {
    let cells = [
        "f <- function() stop('no such thing')",
        "f()",
        "cat('never')",
    ];
    let Some(ran) = run(&cells, &[]) else { return };
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let error = &ran.outputs(1)[0];
    assert_eq!(error["output_type"], "error");
    assert!(
        error["evalue"].as_str().unwrap().contains("no such thing"),
        "{error}"
    );
    assert!(!error["traceback"].as_array().unwrap().is_empty());
    assert!(ran.outputs(2).is_empty());
}

#[test]
fn a_kernel_that_quits_is_reported() {
    let Some(ran) = run(
        &[
            "cat('so far')",
            "tools::pskill(Sys.getpid(), 9); Sys.sleep(60)",
        ],
        &[],
    ) else {
        return;
    };
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("the kernel died in cell 2 of 2"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_cell_beyond_its_limit_is_interrupted_and_a_stopped_run_keeps_its_outputs() {
    let long = "cat('begun\\n')\nflush.console()\nfor (i in 1:600) Sys.sleep(0.1)";
    let Some(ran) = run(&[long], &["--cell-timeout-ms", "1500"]) else {
        return;
    };
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("longer than its time limit"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.streams(0)[0].1, "begun\n");

    let Some(bed) = Bed::new() else { return };
    bed.write("in.ipynb", &in_r(&[long]).to_string());
    let child = bed.start(&[]);
    wait_for(Duration::from_mins(1), "the cell's first line", || {
        let saved = std::fs::read_to_string(bed.path("out.ipynb"));
        saved.is_ok_and(|text| text.contains("begun\\n"))
    });
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let ran = bed.ran(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(143), "{}", ran.stderr);
    assert_eq!(ran.streams(0)[0].1, "begun\n");
}

//! Notebooks and flags that are refused, and what stays untouched in those that run.

use serde_json::json;

use super::bed::{Bed, notebook};

#[test]
fn bad_input_is_refused_before_anything_is_written() {
    let Some(bed) = Bed::new() else { return };
    let cases = [
        ("{\"cells\": [", "not valid JSON"),
        ("[1, 2]", "not a notebook"),
        ("{}", "no `nbformat`"),
        ("{\"nbformat\": 3, \"worksheets\": []}", "jupyter nbconvert"),
        ("{\"nbformat\": 5, \"cells\": []}", "format 5"),
        ("{\"nbformat\": 4}", "no list of cells"),
        ("{\"nbformat\": 4, \"cells\": [3]}", "cell 1"),
        (
            "{\"nbformat\": 4, \"cells\": [{\"cell_type\": \"code\", \"source\": 3}]}",
            "cell 1",
        ),
    ];
    for (text, message) in cases {
        bed.write("in.ipynb", text);
        let ran = bed.run(&[]);
        assert_eq!(ran.code, Some(2), "{text}: {}", ran.stderr);
        assert!(
            ran.stderr.contains(message) && ran.stderr.contains("in.ipynb"),
            "{text}: {}",
            ran.stderr
        );
        assert!(!bed.path("out.ipynb").exists());
    }
}

#[test]
fn a_notebook_that_holds_100_mb_of_outputs_runs_as_any_other() {
    let Some(bed) = Bed::new() else { return };
    let mut old = notebook(&["x = 1", "print(x + 1)"]);
    let text = "0123456789abcde\n".repeat(100 * 1024 * 1024 / 16);
    old["cells"][0]["outputs"] = json!([{"output_type": "stream", "name": "stdout", "text": text}]);
    std::fs::write(bed.path("in.ipynb"), serde_json::to_vec(&old).unwrap()).unwrap();
    let ran = bed.run(&[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stdout, "2\n");
    assert!(
        ran.outputs(0).is_empty(),
        "what an earlier run gave is gone"
    );
}

#[test]
fn bad_flags_are_refused() {
    let Some(bed) = Bed::new() else { return };
    bed.write("in.ipynb", &notebook(&["1"]).to_string());
    bed.write("list.json", "[1]");
    let list = bed.path("list.json").to_string_lossy().into_owned();
    for (flags, message) in [
        (
            vec!["--kernel", "nope"],
            "there is no kernel `nope` in this environment; there are: bash,",
        ),
        (vec!["--parameters", &list], "not a JSON object"),
        (vec!["--cwd", "/nowhere"], "working folder"),
    ] {
        let ran = bed.run(&flags);
        assert_eq!(ran.code, Some(2), "{flags:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(message), "{}", ran.stderr);
    }
    let mut command = bed.command(&[], "in.ipynb");
    assert_eq!(command.output().unwrap().status.code(), Some(2));
    let mut command = bed.command(&[], "missing/out.ipynb");
    assert_eq!(command.output().unwrap().status.code(), Some(4));
}

#[test]
fn what_is_not_understood_stays_byte_for_byte() {
    let Some(bed) = Bed::new() else { return };
    let markdown = r#"  {
   "attachments": {
    "a.png": {
     "image/png": "iVBORw0KGgo="
    }
   },
   "cell_type": "markdown",
   "id": "exotic",
   "metadata": {
    "big": 123456789012345678901234567890,
    "float": 1.50,
    "z": {"compact":[1,2]},
    "a": "\u00e9\ud83d\ude00 é"
   },
   "source": [
    "![x](attachment:a.png)\n",
    "unknown"
   ],
   "unknown": [
    null
   ]
  }"#;
    let metadata = r#"  "other": {
   "n": 1e400,
   "zz": 1,
   "aa": {}
  }"#;
    let text = format!(
        "{{\n \"cells\": [\n{markdown},\n  {{\n   \"cell_type\": \"code\",\n   \"execution_count\": 9,\n   \"metadata\": {{\n    \"mine\": 1.0\n   }},\n   \"outputs\": [],\n   \"source\": [\n    \"1 + 1\"\n   ]\n  }}\n ],\n \"future\": 1,\n \"metadata\": {{\n{metadata}\n }},\n \"nbformat\": 4,\n \"nbformat_minor\": 2\n}}\n"
    );
    bed.write("in.ipynb", &text);
    let output = bed.command(&[], "out.ipynb").output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let saved = std::fs::read_to_string(bed.path("out.ipynb")).unwrap();
    assert!(saved.contains(markdown), "{saved}");
    assert!(saved.contains(metadata), "{saved}");
    assert!(
        saved.contains("\"mine\": 1.0") && saved.contains(" \"future\": 1,\n"),
        "{saved}"
    );
    assert!(
        saved.ends_with(" \"nbformat_minor\": 2\n}\n") && !saved.contains("\"id\": \"cell"),
        "{saved}"
    );
}

#[test]
fn saved_notebooks_are_valid() {
    let Some(bed) = Bed::new() else { return };
    let ran = bed.run_cells(&["print(1)", "1", "1 / 0"], &[]);
    assert_eq!(ran.code, Some(1));
    let text = std::fs::read_to_string(bed.path("out.ipynb")).unwrap();
    assert!(matches!(
        nbformat::parse_notebook(&text),
        Ok(nbformat::Notebook::V4(_))
    ));
    let check = "import nbformat, sys; nbformat.validate(nbformat.read(sys.argv[1], 4)); \
                 print(nbformat.writes(nbformat.read(sys.argv[1], 4)) == open(sys.argv[1]).read())";
    let python = bed.environment.join("bin/python");
    let output = std::process::Command::new(python)
        .args(["-c", check])
        .arg(bed.path("out.ipynb"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn cells_that_say_so_are_skipped() {
    let Some(bed) = Bed::new() else { return };
    let ran = bed.run_cells(
        &[
            "#tag skip-execution\nprint('no')",
            "# only a comment",
            "print('yes')",
        ],
        &[],
    );
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(0), "yes\n"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.cell(0)["execution_count"], json!(null));
}

#[test]
fn the_outcome_is_reported_in_a_file() {
    let Some(bed) = Bed::new() else { return };
    let report = bed.path("report.json").to_string_lossy().into_owned();
    let read = || -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap()
    };
    let flags = ["--report", report.as_str()];
    assert_eq!(bed.run_cells(&["1"], &flags).code, Some(0));
    assert_eq!(
        read(),
        json!({"outcome": "complete", "message": "every cell has run", "cell": null, "exit_code": 0})
    );
    assert_eq!(bed.run_cells(&["1", "int('x')"], &flags).code, Some(1));
    assert_eq!(
        read()["cell"],
        json!({"number": 2, "total": 2, "title": "int('x')"})
    );
    bed.write("in.ipynb", "{");
    assert_eq!(bed.run(&flags).code, Some(2));
    assert!(
        read()["message"]
            .as_str()
            .unwrap()
            .contains("not valid JSON")
    );
}

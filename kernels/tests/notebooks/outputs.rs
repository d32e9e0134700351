//! What cells put out, in the notebook and on the streams.

use serde_json::json;

use super::bed::{Bed, joined};

#[test]
fn every_kind_of_output_is_kept() {
    let Some(bed) = Bed::new() else { return };
    let ran = bed.run_cells(
        &[
            "import sys\nprint('a', end='')\nprint('b')\nprint('err', file=sys.stderr)\nprint('c')",
            "from IPython.display import display, HTML, JSON\ndisplay(HTML('<b>x</b>'))\ndisplay({'application/json': {'big': 1e300, 'n': [1, None]}}, raw=True)\n6 * 7",
            "",
            "!printf 'from a shell'",
        ],
        &[],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stdout, "ab\nc\nfrom a shell\n");
    assert!(
        ran.stderr.contains("err\n") && ran.stderr.contains("[1/4] import sys"),
        "{}",
        ran.stderr
    );
    let streams: Vec<_> = ran
        .streams(0)
        .into_iter()
        .filter(|(name, _)| name == "stdout")
        .collect();
    assert_eq!(
        streams
            .iter()
            .map(|(_, text)| text.as_str())
            .collect::<String>(),
        "ab\nc\n"
    );
    let second = ran.outputs(1);
    assert_eq!(second.len(), 3);
    assert_eq!(second[0]["output_type"], "display_data");
    assert_eq!(second[0]["data"]["text/html"], json!(["<b>x</b>"]));
    assert_eq!(
        second[1]["data"]["application/json"],
        json!({"big": 1e300, "n": [1, null]})
    );
    assert_eq!(second[2]["output_type"], "execute_result");
    assert_eq!(second[2]["execution_count"], json!(2));
    assert_eq!(joined(&second[2]["data"]["text/plain"]), "42");
    assert_eq!(ran.cell(1)["execution_count"], json!(2));
    assert_eq!(ran.cell(2)["execution_count"], json!(null));
    assert_eq!(ran.notebook["metadata"]["language_info"]["name"], "python");
    assert_eq!(ran.status(3), "completed");
}

#[test]
fn displays_are_updated_across_cells_and_cleared() {
    let Some(bed) = Bed::new() else { return };
    let ran = bed.run_cells(
        &[
            "from IPython.display import display, clear_output\nh = display('old', display_id='d')",
            "h.update('new')\nprint('before')\nclear_output(wait=True)\nprint('after')",
            "print('gone')\nclear_output()\ndisplay('again', display_id='d');",
        ],
        &[],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(joined(&ran.outputs(0)[0]["data"]["text/plain"]), "'again'");
    assert_eq!(ran.streams(1), [("stdout".into(), "after\n".into())]);
    assert_eq!(ran.outputs(2).len(), 1);
    assert_eq!(ran.stdout, "before\nafter\ngone\n");
}

#[test]
fn fifty_megabytes_of_text_arrive_whole() {
    let Some(bed) = Bed::new() else { return };
    let ran = bed.run_cells(
        &[
            "line = 'x' * 99\nfor i in range(500_000):\n    print(line)\nprint('end')",
            "print('y' * 20_000_000)",
        ],
        &["--cell-output-bytes", "15000000"],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stdout.len(), 50_000_000 + 4 + 20_000_001);
    assert!(ran.stdout[..50_000_004].ends_with("x\nend\n"));
    let kept: usize = ran.streams(0).iter().map(|(_, text)| text.len()).sum();
    assert!((15_000_000..15_000_400).contains(&kept), "{kept}");
    assert!(
        ran.streams(0)
            .last()
            .unwrap()
            .1
            .contains("in the log in full")
    );
}

#[test]
fn a_thousand_displays_all_arrive() {
    let Some(bed) = Bed::new() else { return };
    let ran = bed.run_cells(
        &[
            "from IPython.display import display\nfor i in range(3000): display(i)",
            "print('ok')",
        ],
        &[],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let shown: Vec<String> = ran
        .outputs(0)
        .iter()
        .map(|output| joined(&output["data"]["text/plain"]))
        .collect();
    assert_eq!(shown, (0..3000).map(|i| i.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_line_left_open_does_not_join_the_next_cells_line() {
    let Some(bed) = Bed::new() else { return };
    let ran = bed.run_cells(&["print('open', end='')", "print('{\"loss\": 0.5}')"], &[]);
    assert_eq!(ran.stdout, "open\n{\"loss\": 0.5}\n");
}

#[test]
fn late_text_goes_to_the_cell_that_it_belongs_to() {
    let Some(bed) = Bed::new() else { return };
    let ran = bed.run_cells(
        &[
            "import asyncio\ngo = asyncio.Event()\nasync def work():\n    await go.wait()\n    print('from the task')\ntask = asyncio.ensure_future(work())",
            "go.set(); await task; print('joined')",
        ],
        &[],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let text = |text: &str| [("stdout".to_owned(), text.to_owned())];
    assert_eq!(ran.streams(0), text("from the task\n"));
    assert_eq!(ran.streams(1), text("joined\n"));
}

#[test]
fn widgets_keep_their_state() {
    let Some(bed) = Bed::new() else { return };
    let ran = bed.run_cells(
        &[
            "import ipywidgets\ns = ipywidgets.IntSlider(value=3)\ndisplay(s)",
            "s.value = 8",
        ],
        &[],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let state =
        &ran.notebook["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"];
    let slider = state
        .as_object()
        .unwrap()
        .values()
        .find(|model| model["model_name"] == "IntSliderModel");
    assert_eq!(slider.unwrap()["state"]["value"], json!(8));
}

#[test]
fn a_kernel_of_another_language_runs() {
    let Some(bed) = Bed::new() else { return };
    bed.write(
        "p.json",
        r#"{"name": "it's $HOME `x`\n\"é\"", "n": 5, "list": ["a b", 2]}"#,
    );
    let cells = super::bed::notebook(&["echo \"$name|$n|${list[0]}|${#list[@]}\""]);
    bed.write("in.ipynb", &cells.to_string());
    let parameters = bed.path("p.json");
    let ran = bed.run(&[
        "--kernel",
        "bash",
        "--parameters",
        &parameters.to_string_lossy(),
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stdout, "it's $HOME `x`\n\"é\"|5|a b|2\n");
}

#[test]
fn text_that_is_not_quite_unicode_is_not_lost() {
    let Some(bed) = Bed::new() else { return };
    let ran = bed.run_cells(
        &[
            "print('a\\udcffb')",
            "from IPython.display import publish_display_data\npublish_display_data({'application/json': {'x': float('nan')}, 'text/plain': 'nan'})",
            "print('after')",
        ],
        &[],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        ran.stdout.starts_with('a') && ran.stdout.ends_with("b\nafter\n"),
        "{:?} {}",
        ran.stdout,
        ran.stderr
    );
    assert_eq!(joined(&ran.outputs(1)[0]["data"]["text/plain"]), "nan");
}

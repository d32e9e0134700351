//! The same notebooks through papermill and nbclient: their outputs and ours must be equal.

use std::process::Command;

use serde_json::{Value, json};

use super::bed::{Bed, notebook};

/// Reads two notebooks as nbformat does, takes out what differs from run to run, and prints them.
const COMPARE: &str = r"
import json, re, sys, nbformat
def plain(path):
    nb = nbformat.read(path, 4)
    cells = []
    for cell in nb.cells:
        outputs = []
        for output in cell.get('outputs', []):
            output = dict(output)
            last = outputs[-1] if outputs else {}
            if output['output_type'] == 'stream' and last.get('name') == output['name']:
                last['text'] += output['text']
                continue
            outputs.append(output)
        pm = cell.metadata.get('papermill', {})
        cells.append([cell.cell_type, cell.source, cell.get('execution_count'), cell.metadata.get('tags') or [], outputs,
                      pm.get('status') if cell.cell_type == 'code' else None, pm.get('exception') if cell.cell_type == 'code' else None])
    text = json.dumps([cells, nb.metadata.get('language_info'), sorted(nb.metadata.get('widgets', {}).keys())], indent=1, sort_keys=True)
    return re.sub(r'0x[0-9a-f]+|ipykernel_\d+|IPY_MODEL_\w+|Cell In\[\d+\]', 'X', re.sub(r'[0-9a-f]{32}', 'ID', text))
for path in sys.argv[1:]:
    print(plain(path), end='\x00')
";

fn compare(cells: &[&str], parameters: &Value) {
    let Some(bed) = Bed::new() else { return };
    bed.write("in.ipynb", &notebook(cells).to_string());
    let file = bed.write("p.json", &parameters.to_string());
    let ran = bed.run(&["--parameters", &file.to_string_lossy()]);
    let papermill = Command::new(bed.environment.join("bin/papermill"))
        .args(["--no-progress-bar", "-f"])
        .arg(&file)
        .args(["in.ipynb", "peer.ipynb"])
        .current_dir(bed.folder.path())
        .env(
            "PATH",
            format!("{}:/usr/bin:/bin", bed.environment.join("bin").display()),
        )
        .output()
        .unwrap();
    assert_eq!(
        ran.code == Some(0),
        papermill.status.success(),
        "{}\n{}",
        ran.stderr,
        String::from_utf8_lossy(&papermill.stderr)
    );
    let python = bed.environment.join("bin/python");
    let output = Command::new(python)
        .args(["-c", COMPARE, "out.ipynb", "peer.ipynb"])
        .current_dir(bed.folder.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let (ours, theirs) = text.split_once('\0').unwrap();
    assert_eq!(ours, theirs.trim_end_matches('\0'));
}

#[test]
fn outputs_are_those_of_papermill() {
    compare(
        &[
            "#tag parameters\nlr = 0.1\nname = 'x'\nlayers = []",
            "print(lr, name, layers)\nimport sys; print('e', file=sys.stderr)",
            "from IPython.display import *\ndisplay(HTML('<i>\\n</i>'), Markdown('# x'), SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>'))\nh = display('a', display_id='q')",
            "h.update('b')\nprint('x'); clear_output(wait=True); print('y')",
            "import math\n{'a': [1.5, None, 'é\\u2028'], 'b': math.nan}",
            "%%html\n<b>x</b>",
            "!printf 'a\\rb\\n'",
            "import base64\nImage(data=base64.b64decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='))",
        ],
        &json!({"lr": 1.234e-5, "name": "é \"q\" 'r' \\ \u{1f600}\n\t\u{0}", "layers": [1, 2.5, {"a": null, "b": [true, 123_456_789_012_345_678_i64]}]}),
    );
}

#[test]
fn statuses_after_an_exception_are_those_of_papermill() {
    let Some(bed) = Bed::new() else { return };
    let ran = bed.run_cells(&["1", "1 / 0", "2"], &[]);
    // papermill adds two cells that tell of the error; the rest is compared by status.
    let papermill = Command::new(bed.environment.join("bin/papermill"))
        .args(["--no-progress-bar", "in.ipynb", "peer.ipynb"])
        .current_dir(bed.folder.path())
        .env(
            "PATH",
            format!("{}:/usr/bin:/bin", bed.environment.join("bin").display()),
        )
        .output()
        .unwrap();
    assert!(!papermill.status.success() && ran.code == Some(1));
    let peer: Value =
        serde_json::from_slice(&std::fs::read(bed.path("peer.ipynb")).unwrap()).unwrap();
    let statuses = |notebook: &Value| -> Vec<Value> {
        let cells = notebook["cells"].as_array().unwrap().iter();
        let code = cells.filter(|cell| cell["cell_type"] == "code");
        code.map(|cell| cell["metadata"]["papermill"]["status"].clone())
            .collect()
    };
    assert_eq!(statuses(&ran.notebook), statuses(&peer));
}

/// Executes each notebook with papermill and with nbclient, one after the other; a notebook that raises is kept as it is then.
const PEERS: &str = r"
import asyncio, sys, nbformat, papermill
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
for name in sys.argv[1:]:
    print(name, file=sys.stderr, flush=True)
    try:
        papermill.execute_notebook(f'{name}.ipynb', f'{name}.papermill.ipynb', progress_bar=False,
                                   start_timeout=60, execution_timeout=60)
    except papermill.PapermillExecutionError:
        nb = nbformat.read(f'{name}.papermill.ipynb', 4)
        nb.cells = [c for c in nb.cells if 'papermill-error-cell-tag' not in c.metadata.get('tags', [])]
        nbformat.write(nb, f'{name}.papermill.ipynb')
    nb = nbformat.read(f'{name}.ipynb', 4)
    try:
        NotebookClient(nb, timeout=60).execute()
    except CellExecutionError:
        pass
    nbformat.write(nb, f'{name}.nbclient.ipynb')
";

/// Outputs only: what each program adds to the metadata is its own.
const OUTPUTS: &str = r"
import json, re, sys, nbformat
def plain(path):
    cells = []
    for cell in nbformat.read(path, 4).cells:
        outputs = []
        for output in cell.get('outputs', []):
            output = dict(output)
            last = outputs[-1] if outputs else {}
            if output['output_type'] == 'stream' and last.get('name') == output['name']:
                last['text'] += output['text']
                continue
            outputs.append(output)
        cells.append([cell.source, cell.get('execution_count'), outputs])
    text = json.dumps(cells, indent=1, sort_keys=True)
    text = re.sub(r'0x[0-9a-f]+|ipykernel_\d+|IPY_MODEL_\w+|In ?\[\d+\]', 'X', text)
    return re.sub(r'[0-9a-f]{32}', 'ID', text)
for path in sys.argv[1:]:
    print(plain(path), end='\x00')
";

/// Notebooks of different shape: name, kernel, cells. No `Output` widget: nbclient sometimes waits for ever for one.
const NOTEBOOKS: [(&str, &str, &[&str]); 13] = [
    ("empty", "python3", &["", "  \n", "# nothing"]),
    (
        "values",
        "python3",
        &[
            "1",
            "None",
            "{'a': [1, (2, 3)]}",
            "'é\u{1f600}'",
            "2 ** 100",
        ],
    ),
    (
        "streams",
        "python3",
        &[
            "import sys\nfor i in range(5):\n    print(i)\nprint('e', file=sys.stderr)",
            "print('a\\rb'); print('no newline', end='')",
        ],
    ),
    (
        "raises",
        "python3",
        &["x = 1", "def f():\n    return x / 0\nf()", "print('never')"],
    ),
    ("syntax", "python3", &["print('before')", "def (:", "1"]),
    (
        "expected",
        "python3",
        &["#tag raises-exception\n1 / 0", "print('goes on')"],
    ),
    (
        "displays",
        "python3",
        &[
            "from IPython.display import HTML, Markdown, display\nh = display('a', display_id='q')\ndisplay(HTML('<script>1</script>'), Markdown('# x'))",
            "h.update('b'); h.update('c')",
            "h.display()",
        ],
    ),
    (
        "clears",
        "python3",
        &[
            "from IPython.display import clear_output\nfor i in range(20):\n    clear_output(wait=True)\n    print(i)",
            "print('x')\nclear_output()",
        ],
    ),
    (
        "shell",
        "python3",
        &[
            "!echo shell; echo err >&2",
            "%%bash\nfor i in 1 2 3; do echo $i; done",
            "%pwd",
        ],
    ),
    (
        "widgets",
        "python3",
        &[
            "import ipywidgets as w\nslider = w.IntSlider(value=3)\nslider",
            "slider.value = 7\nslider.value",
        ],
    ),
    (
        "async",
        "python3",
        &[
            "import asyncio\nawait asyncio.sleep(0.05)\n'slept'",
            "async def f():\n    for i in range(3):\n        print(i)\n        await asyncio.sleep(0)\nawait f()",
        ],
    ),
    (
        "bash",
        "bash",
        &[
            "x=4; echo $((x + 1))",
            "ls /nowhere-at-all; echo still",
            "printf 'é'",
        ],
    ),
    (
        "r",
        "ir",
        &[
            "x <- 1:3\nprint(x)",
            "data.frame(x = x)",
            "message('err')\nplot(x)",
        ],
    ),
];

#[test]
fn notebooks_give_what_papermill_and_nbclient_give() {
    let Some(bed) = Bed::new() else { return };
    let python = bed.environment.join("bin/python");
    let path = format!("{}:/usr/bin:/bin", bed.environment.join("bin").display());
    let run = |script: &str, arguments: &[String]| {
        let mut command = Command::new(&python);
        command.arg("-c").arg(script).args(arguments);
        command.current_dir(bed.folder.path()).env("PATH", &path);
        let output = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        String::from_utf8(output.stdout).unwrap()
    };
    let mut names = Vec::new();
    for (name, kernel, cells) in NOTEBOOKS {
        let mut notebook = notebook(cells);
        if kernel == "bash" {
            notebook["metadata"]["kernelspec"] =
                json!({"display_name": "Bash", "language": "bash", "name": "bash"});
        }
        if kernel == "ir" {
            if !super::r::is_there() {
                continue;
            }
            notebook = super::r::in_r(cells);
        }
        bed.write("in.ipynb", &notebook.to_string());
        bed.write(&format!("{name}.ipynb"), &notebook.to_string());
        bed.run(&[]);
        std::fs::rename(
            bed.path("out.ipynb"),
            bed.path(&format!("{name}.ours.ipynb")),
        )
        .unwrap();
        names.push(name.to_owned());
    }
    run(PEERS, &names);
    for name in names {
        let by = ["ours", "papermill", "nbclient"].map(|who| format!("{name}.{who}.ipynb"));
        let text = run(OUTPUTS, &by);
        let texts: Vec<&str> = text.split_terminator('\0').collect();
        assert_eq!(texts[0], texts[1], "{name}: ours and papermill's");
        assert_eq!(texts[0], texts[2], "{name}: ours and nbclient's");
    }
}

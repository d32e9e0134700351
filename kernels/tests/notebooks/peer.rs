//! The same notebooks through papermill: its outputs and ours must be equal.

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

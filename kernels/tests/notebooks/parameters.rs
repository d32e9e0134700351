//! Parameters as cells see them.

use serde_json::{Value, json};

use super::bed::{Bed, joined, notebook};

fn given(bed: &Bed, parameters: &Value) -> String {
    bed.write("p.json", &parameters.to_string())
        .to_string_lossy()
        .into_owned()
}

#[test]
fn every_value_arrives_as_it_was_given() {
    let Some(bed) = Bed::new() else { return };
    let hard: String = (0..=0x17f)
        .chain([0x2028, 0xfeff, 0x1_f600, 0x10_ffff])
        .filter_map(char::from_u32)
        .collect();
    let values = json!({
        "text": hard, "quotes": "a\"b'c\\d\\n\"\"\"'''", "empty": "", "none": null, "yes": true, "no": false,
        "int": 9_007_199_254_740_993_i64, "unsigned": u64::MAX, "negative": -5, "tiny": 1e-300, "whole": 3.0, "sixteen": 1e16,
        "third": 0.1, "nested": {"a b": [1, [null, {"é\n": {}}], []], "": false}, "été": "nom",
    });
    let parameters = given(&bed, &values);
    let cell =
        "import json\nprint(json.dumps({k: globals()[k] for k in json.load(open('p.json'))}))";
    bed.write(
        "in.ipynb",
        &notebook(&["#tag parameters\ntext = ''", cell]).to_string(),
    );
    let ran = bed.run(&["--parameters", &parameters]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let seen: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(seen, values);
    assert_eq!(ran.notebook["metadata"]["papermill"]["parameters"], values);
    assert!(
        ran.stderr
            .contains("warning: the notebook declares no parameter `quotes`"),
        "{}",
        ran.stderr
    );
}

#[test]
fn the_numbers_that_json_lacks_arrive() {
    let Some(bed) = Bed::new() else { return };
    let parameters = given(
        &bed,
        &json!({"a": "nan", "b": "-inf", "c": "Infinity", "n": "7"}),
    );
    let cells = [
        "#tag parameters\na = 0.1\nb = 1.0\nc = float('nan')\nn = 1",
        "print(a, b, c, n + 1)",
    ];
    bed.write("in.ipynb", &notebook(&cells).to_string());
    let ran = bed.run(&["--parameters", &parameters]);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(0), "nan -inf inf 8\n"),
        "{}",
        ran.stderr
    );
}

#[test]
fn the_cell_goes_where_papermill_puts_it() {
    let Some(bed) = Bed::new() else { return };
    let parameters = given(&bed, &json!({"lr": 0.5}));
    let flags = ["--parameters", parameters.as_str()];
    bed.write(
        "in.ipynb",
        &notebook(&["x = 1", "#tag parameters\nlr = 0.1", "print(lr)"]).to_string(),
    );
    let ran = bed.run(&flags);
    assert_eq!(ran.stdout, "0.5\n", "{}", ran.stderr);
    let injected = ran.cell(2);
    assert_eq!(joined(&injected["source"]), "# Parameters\nlr = 0.5\n");
    assert_eq!(injected["metadata"]["tags"], json!(["injected-parameters"]));
    // Once more with its own output: the cell is replaced.
    let id = injected["id"].clone();
    std::fs::rename(bed.path("out.ipynb"), bed.path("in.ipynb")).unwrap();
    given(&bed, &json!({"lr": 0.7}));
    let ran = bed.run(&flags);
    assert_eq!(ran.stdout, "0.7\n", "{}", ran.stderr);
    assert_eq!(ran.notebook["cells"].as_array().unwrap().len(), 4);
    assert_eq!(ran.cell(2)["id"], id);
    bed.write("in.ipynb", &notebook(&["print(lr)"]).to_string());
    let ran = bed.run(&flags);
    assert_eq!(
        (ran.code, joined(&ran.cell(0)["source"]).as_str()),
        (Some(0), "# Parameters\nlr = 0.7\n")
    );
}

#[test]
fn a_wrong_type_or_name_is_refused() {
    let Some(bed) = Bed::new() else { return };
    bed.write(
        "in.ipynb",
        &notebook(&["#tag parameters\nepochs = 3"]).to_string(),
    );
    for (values, message) in [
        (
            json!({"epochs": "many"}),
            "parameter `epochs` must be a number",
        ),
        (json!({"a; import os": 1}), "cannot be a parameter"),
        (json!({"": 1}), "cannot be a parameter"),
    ] {
        let parameters = given(&bed, &values);
        let ran = bed.run(&["--parameters", &parameters]);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains(message), "{}", ran.stderr);
        assert!(!bed.path("out.ipynb").exists());
    }
}

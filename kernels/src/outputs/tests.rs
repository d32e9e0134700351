use serde_json::{Value, json};

use super::{Bundle, Outputs, Raised, Room};

const ROOM: Room = Room {
    cell_bytes: 100,
    left_bytes: 1000,
};

fn bundle(value: &Value) -> Bundle {
    serde_json::from_value::<Value>(value.clone())
        .and_then(|value| serde_json::from_str(&value.to_string()))
        .unwrap()
}

fn saved(outputs: &Outputs) -> Value {
    serde_json::from_str(&outputs.render()).unwrap()
}

#[test]
fn text_of_one_stream_is_one_output() {
    let mut outputs = Outputs::default();
    for (name, text) in [
        ("stdout", "a"),
        ("stdout", "b\n"),
        ("stderr", "c"),
        ("stdout", "d"),
    ] {
        outputs.stream(name, text, ROOM);
    }
    let expected = json!([
        {"name": "stdout", "output_type": "stream", "text": ["ab\n"]},
        {"name": "stderr", "output_type": "stream", "text": ["c"]},
        {"name": "stdout", "output_type": "stream", "text": ["d"]},
    ]);
    assert_eq!(saved(&outputs), expected);
    assert_eq!(outputs.bytes(), 5);
}

#[test]
fn what_is_over_the_limit_is_left_out_and_said_once() {
    let mut outputs = Outputs::default();
    outputs.stream("stdout", &"é".repeat(49), ROOM);
    outputs.stream("stdout", "ééé", ROOM);
    outputs.stream("stdout", "more", ROOM);
    outputs.bundle(bundle(&json!({"data": {"text/plain": "x"}})), ROOM);
    outputs.error(Raised {
        ename: "E".into(),
        ..Raised::default()
    });
    let saved = saved(&outputs);
    assert_eq!(saved[0]["text"][0].as_str().unwrap().chars().count(), 50);
    assert!(saved[1]["text"][1].as_str().unwrap().starts_with("[cairn]"));
    assert_eq!(saved[2]["output_type"], "error");
    assert_eq!(saved.as_array().unwrap().len(), 3);
    outputs.clear(false);
    outputs.stream("stdout", "room again", ROOM);
    assert_eq!(outputs.bytes(), 10);
}

#[test]
fn a_notebook_without_room_keeps_no_more() {
    let mut outputs = Outputs::default();
    let room = Room {
        left_bytes: 3,
        ..ROOM
    };
    outputs.stream("stdout", "abcdef", room);
    assert_eq!(saved(&outputs)[0]["text"], json!(["abc"]));
}

#[test]
fn clearing_may_wait_for_the_next_output() {
    let mut outputs = Outputs::default();
    outputs.stream("stdout", "old", ROOM);
    outputs.clear(true);
    assert_eq!(saved(&outputs)[0]["text"], json!(["old"]));
    outputs.stream("stdout", "new", ROOM);
    assert_eq!(saved(&outputs)[0]["text"], json!(["new"]));
}

#[test]
fn displays_with_one_id_show_the_same() {
    let mut outputs = Outputs::default();
    let show = |text: &str| {
        bundle(&json!({"data": {"text/plain": text}, "transient": {"display_id": "d"}}))
    };
    outputs.bundle(show("one"), ROOM);
    outputs.bundle(
        bundle(&json!({"data": {"text/plain": "other"}, "transient": null})),
        ROOM,
    );
    assert!(outputs.update(&show("two"), ROOM));
    assert!(!outputs.update(&bundle(&json!({"data": {}})), ROOM));
    let saved = saved(&outputs);
    assert_eq!(saved[0]["data"]["text/plain"], json!(["two"]));
    assert_eq!(saved[1]["data"]["text/plain"], json!(["other"]));
    assert_eq!(saved[0].get("transient"), None);
}

#[test]
fn only_text_is_split_into_lines() {
    let mut outputs = Outputs::default();
    let data = json!({
        "data": {
            "text/html": "a\nb", "image/svg+xml": "<a>\n</a>", "image/png": "aGk=\naGk=",
            "application/json": {"n": 1}, "application/vnd.x+json": "a\nb",
        },
        "execution_count": 3,
    });
    outputs.bundle(
        bundle(&data),
        Room {
            cell_bytes: 1000,
            ..ROOM
        },
    );
    let expected = json!([{
        "data": {
            "text/html": ["a\n", "b"], "image/svg+xml": ["<a>\n", "</a>"], "image/png": "aGk=\naGk=",
            "application/json": {"n": 1}, "application/vnd.x+json": "a\nb",
        },
        "execution_count": 3, "metadata": {}, "output_type": "execute_result",
    }]);
    assert_eq!(saved(&outputs), expected);
}

#[test]
fn a_giant_traceback_is_cut() {
    let mut outputs = Outputs::default();
    outputs.error(Raised {
        ename: "E".into(),
        evalue: "é".repeat(2_000_000),
        traceback: vec!["x".repeat(900_000), "é".repeat(900_000), "y".into()],
    });
    assert!(outputs.render().len() < 2_200_000);
}

//! What a job may write, and what becomes of it.

use serde_json::json;

use super::*;

fn wishes(values: &[serde_json::Value]) -> (Vec<Asked>, Option<String>) {
    let (mut wishes, mut remarks) = (Wishes::default(), Remarks::default());
    for (number, value) in values.iter().enumerate() {
        let properties = json!({ "valohai.dataset-versions": [value] });
        let properties = serde_json::from_value(properties).unwrap();
        wishes.note(&format!("{number}.txt"), properties, &mut remarks);
    }
    (wishes.asked, remarks.text())
}

#[test]
fn a_name_in_place_of_a_number_is_an_alias() {
    for (uri, aliases) in [
        ("dataset://digits/best", vec!["best"]),
        ("dataset://digits/v1", vec!["v1"]),
        ("dataset://digits/latest", vec![]),
        ("dataset://digits/", vec![]),
        ("dataset://digits", vec![]),
    ] {
        let (asked, remark) = wishes(&[json!(uri)]);
        assert_eq!((asked[0].dataset.as_str(), remark), ("digits", None));
        assert!(asked[0].aliases.iter().eq(&aliases), "{uri}");
    }
    let (asked, remark) = wishes(&[json!("dataset://digits/7")]);
    assert!(asked[0].aliases.is_empty() && remark.unwrap().contains("`7`"));
}

#[test]
fn one_uri_is_one_version_whatever_stands_beside_it() {
    let (asked, remark) = wishes(&[
        json!("dataset://digits/gold"),
        json!({"uri": "dataset://digits/gold", "from": "dataset://digits/latest", "exclude": ["old/**"], "packaging": true}),
        json!({"uri": "dataset://digits/gold/", "targeting_aliases": ["best"]}),
        json!("dataset://others/gold"),
    ]);
    assert_eq!((asked.len(), remark), (2, None));
    let one = &asked[0];
    assert_eq!(one.files.len(), 3);
    assert_eq!(one.from.as_deref(), Some("dataset://digits/latest"));
    assert!(one.exclude.iter().eq(["old/**"]) && one.aliases.iter().eq(["best", "gold"]));
    let fresh =
        json!({"uri": "dataset://digits/x", "from": "dataset://digits/1", "start_fresh": true});
    assert_eq!(wishes(&[fresh]).0[0].from, None);
    let base = |from: &str| json!({"uri": "dataset://digits/x", "from": from});
    let (asked, remark) = wishes(&[base("digits:1"), base("digits:2")]);
    assert_eq!(asked[0].from.as_deref(), Some("digits:1"));
    assert!(remark.unwrap().contains("another `from`"));
}

#[test]
fn what_names_no_own_dataset_is_refused() {
    for uri in [
        "",
        "digits",
        "s3://a/b",
        "dataset://a/b/c",
        "dataset://../x",
        "dataset://A/b",
        "#12",
        "dataset://digits/B",
    ] {
        let (asked, remark) = wishes(&[json!(uri)]);
        assert!(asked.is_empty() && remark.is_some(), "{uri}");
    }
    let bad = json!({"uri": "dataset://digits/x", "targeting_aliases": ["latest"]});
    assert!(wishes(&[bad]).0.is_empty());
}

#[test]
fn what_is_said_of_it_stays_short() {
    let long = "x".repeat(1_000_000);
    let many: Vec<_> = (0..2000)
        .map(|n| json!(format!("s3://{n}/{long}")))
        .collect();
    assert!(wishes(&many).1.unwrap().len() < 2000);
    let aliases: Vec<String> = (0..500).map(|n| format!("a{n}")).collect();
    let (asked, remark) =
        wishes(&[json!({"uri": "dataset://digits", "targeting_aliases": aliases})]);
    assert!(asked[0].aliases.len() <= MOST_ALIASES && remark.is_some());
}

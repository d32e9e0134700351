//! Lineage in forms for other programs.

use serde_json::{Value, json};

use super::{
    client::Client,
    datasets::{digits, family, sent},
    world::World,
};

async fn lineage(client: &Client, of: &str, format: &str) -> Value {
    let of = of.replace('#', "%23");
    let path = format!("/api/v1/projects/vision/lineage?ref={of}&format={format}");
    client.get(&path).await.expect(200)
}

/// Lets the formats' own Python packages read what we say, where `CAIRN_TEST_LINEAGE_ENV` names an environment with them.
fn judge(format: &str, said: &Value) {
    let Some(environment) = std::env::var_os("CAIRN_TEST_LINEAGE_ENV") else {
        eprintln!(
            "not judged by {format}'s own package: CAIRN_TEST_LINEAGE_ENV names no environment"
        );
        return;
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), said.to_string()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/exports.py");
    let python = std::path::Path::new(&environment).join("bin/python");
    let mut python = std::process::Command::new(python);
    let judged = python
        .args([script, format])
        .arg(file.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&judged.stderr);
    assert!(judged.status.success(), "{text}");
}

#[tokio::test]
async fn openlineage_tells_of_runs_and_versions() {
    let world = World::new().await;
    let editor = world.client("editor");
    let reader = family(&world).await;
    let events = lineage(editor, "digits:3", "openlineage").await;
    judge("openlineage", &events);
    let events = events.as_array().unwrap();
    let times: Vec<&str> = events
        .iter()
        .map(|one| one["eventTime"].as_str().unwrap())
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    let version = |dataset: &Value| {
        (
            dataset["name"].clone(),
            dataset["facets"]["version"]["datasetVersion"].clone(),
        )
    };
    let digits = |number: &str| (json!("vision/digits"), json!(number));
    let made = events
        .iter()
        .find(|one| one["job"]["name"] == "vision/digits:make")
        .unwrap();
    let from: Vec<_> = made["inputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(version)
        .collect();
    assert!(
        from.contains(&digits("1")) && from.contains(&digits("2")),
        "{from:?}"
    );
    assert_eq!(version(&made["outputs"][0]), digits("3"));
    let sent = events
        .iter()
        .find(|one| one.get("dataset").is_some())
        .unwrap();
    assert_eq!(version(&sent["dataset"]), digits("2"));
    let (_, number) = reader.split_once('#').unwrap();
    let number: i64 = number.parse().unwrap();
    let read = |one: &&Value| one["run"]["facets"]["cairn_run"]["number"] == number;
    let run = events.iter().find(read).unwrap();
    let input = &run["inputs"][0];
    assert_eq!(version(input), digits("3"));
    assert_eq!(
        input["namespace"], run["producer"],
        "the address of the service"
    );
    assert_eq!(input["inputFacets"]["cairn_input"]["ref"], "digits:3");
    let left = events.iter().filter(|one| one["eventType"] == "COMPLETE");
    let outputs: Vec<_> = left
        .flat_map(|one| one["outputs"].as_array().unwrap())
        .map(version)
        .collect();
    assert!(outputs.contains(&digits("1")), "{outputs:?}");
}

#[tokio::test]
async fn prov_ties_entities_activities_and_agents() {
    let world = World::new().await;
    let editor = world.client("editor");
    family(&world).await;
    let document = lineage(editor, "digits:3", "prov").await;
    judge("prov", &document);
    let labels = |part: &str| -> Vec<&str> {
        let things = document[part].as_object().unwrap().values();
        things
            .map(|one| one["prov:label"].as_str().unwrap())
            .collect()
    };
    for label in [
        "vision/digits:1",
        "vision/digits:2",
        "vision/digits:3",
        "outputs of vision#2",
    ] {
        assert!(labels("entity").contains(&label), "{label}");
    }
    assert!(labels("activity").contains(&"vision#2") && labels("activity").contains(&"desk"));
    assert!(labels("agent").contains(&"editor"));
    for relation in [
        "used",
        "wasGeneratedBy",
        "wasDerivedFrom",
        "wasAssociatedWith",
        "wasAttributedTo",
    ] {
        assert!(document.get(relation).is_some(), "{relation}");
    }
    let names = ["entity", "activity", "agent"].map(|part| document[part].as_object().unwrap());
    let is_told = |name: &str| names.iter().any(|part| part.contains_key(name));
    for relation in [
        "used",
        "wasGeneratedBy",
        "wasDerivedFrom",
        "wasAssociatedWith",
        "wasAttributedTo",
    ] {
        for (key, name) in document[relation]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|one| one.as_object().unwrap())
        {
            if let Some(name) = name.as_str().filter(|name| name.starts_with("cairn:")) {
                assert!(is_told(name), "{relation} {key} {name}");
            }
        }
    }
}

#[tokio::test]
async fn a_version_made_of_two_jobs_is_the_doing_of_neither() {
    let world = World::new().await;
    let editor = world.client("editor");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("other.txt"), "other").unwrap();
    let other = world.job_that_left(folder.path()).await;
    digits(editor).await;
    let both = json!({"sources": [{"ref": "#2"}, {"ref": format!("#{other}")}]});
    let versions = "/api/v1/projects/vision/datasets/digits/versions";
    let made = editor.post(versions, both).await.expect(201);
    assert_eq!(made["number"], 2, "{made}");

    let events = lineage(editor, "digits:2", "openlineage").await;
    judge("openlineage", &events);
    let by: Vec<&Value> = events
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| {
            let outputs = one["outputs"].as_array();
            let number = |one: &Value| one["facets"]["version"]["datasetVersion"] == "2";
            outputs.is_some_and(|outputs| outputs.iter().any(number))
        })
        .map(|one| &one["job"]["name"])
        .collect();
    assert_eq!(by, ["vision/digits:make"]);

    let document = lineage(editor, "digits:2", "prov").await;
    let of = |relation: &str, key: &str| -> Vec<Value> {
        let all = document[relation].as_object().unwrap().values();
        all.map(|one| one[key].clone()).collect()
    };
    let entities = document["entity"].as_object().unwrap();
    let is_made = |one: &&Value| one["prov:label"] == "vision/digits:2";
    let name = entities.iter().find(|(_, one)| is_made(one)).unwrap().0;
    assert!(!of("wasGeneratedBy", "prov:entity").contains(&json!(name)));
    let derived = of("wasDerivedFrom", "prov:generatedEntity");
    let derived = derived.iter().filter(|one| *one == name);
    assert_eq!(derived.count(), 2);
}

#[tokio::test]
async fn an_export_tells_of_nothing_that_one_may_not_see_but_how_much_that_is() {
    let world = World::new().await;
    family(&world).await;
    let open = json!({"visibility": "organisation"});
    let digits = "/api/v1/projects/vision/datasets/digits";
    world.client("owner").patch(digits, open).await.expect(200);
    let stranger = world.client("stranger");
    let own = json!({"name": "own"});
    stranger.post("/api/v1/projects", own).await.expect(201);
    for format in ["openlineage", "prov"] {
        let path = "/api/v1/projects/own/lineage?ref=vision/digits:3&format=";
        let said = stranger.get(&format!("{path}{format}")).await.expect(200);
        judge(format, &said);
        let said = said.to_string();
        for other in ["vision#", "\"desk\""] {
            assert!(!said.contains(other), "{format}: {said}");
        }
        assert!(said.contains("hidden\":3"), "{format}: {said}");
    }
}

/// Names of things that a document tells of, and names that it only refers to.
fn names(document: &Value) -> (Vec<String>, Vec<String>) {
    let (mut told, mut meant) = (Vec::new(), Vec::new());
    for (part, things) in document.as_object().unwrap() {
        let things = things.as_object().unwrap();
        match part.as_str() {
            "prefix" => {}
            "entity" | "activity" | "agent" => told.extend(things.keys().cloned()),
            _ => {
                let values = things
                    .values()
                    .flat_map(|one| one.as_object().unwrap().values());
                let names = values.filter_map(Value::as_str);
                meant.extend(
                    names
                        .filter(|name| name.starts_with("cairn:"))
                        .map(str::to_owned),
                );
            }
        }
    }
    (told, meant)
}

#[tokio::test]
async fn an_export_that_ends_at_its_depth_says_so_and_refers_to_nothing_beyond() {
    let world = World::new().await;
    let editor = world.client("editor");
    family(&world).await;
    let path = "/api/v1/projects/vision/lineage?ref=digits:3&depth=1&format=";
    let events = editor.get(&format!("{path}openlineage")).await.expect(200);
    judge("openlineage", &events);
    let text = events.to_string();
    assert!(text.contains("\"more\":true"), "{text}");
    assert!(!text.contains("vision#2"), "two steps away: {text}");
    let document = editor.get(&format!("{path}prov")).await.expect(200);
    judge("prov", &document);
    assert!(document.to_string().contains("\"cairn:more\":true"));
    let (told, meant) = names(&document);
    for name in &meant {
        assert!(told.contains(name), "{name} is not told of");
    }
    let whole = lineage(editor, "digits:3", "prov").await;
    assert!(names(&whole).0.len() > told.len());
}

#[tokio::test]
async fn odd_characters_come_through_exports_as_they_are() {
    let world = World::new().await;
    let editor = world.client("editor");
    let odd = "\"naïve\" </script> \\ 雪\u{2028}'%#?&\tx";
    let upload = sent(editor, "outputs", &[("odd \"雪\" #%.txt", "1")]).await;
    digits(editor).await;
    let version = json!({"upload_id": upload, "message": format!("{odd}\nsecond line")});
    let versions = "/api/v1/projects/vision/datasets/digits/versions";
    editor.post(versions, version).await.expect(201);
    let job = json!({
        "name": odd, "command": ["true", odd], "parameters": {"text": odd}, "snapshot_id": world.snapshot.to_string(),
        "inputs": [{"ref": "digits:2"}],
    });
    let jobs = "/api/v1/projects/vision/jobs";
    editor.post(jobs, job).await.expect(201);

    let events = lineage(editor, "digits:2", "openlineage").await;
    judge("openlineage", &events);
    let events = events.as_array().unwrap();
    let run = events.iter().find(|one| one.get("run").is_some()).unwrap();
    assert_eq!(run["job"]["name"], format!("vision/{odd}"));
    let facets = &run["run"]["facets"];
    assert_eq!(facets["cairn_run"]["command"][1], odd);
    assert_eq!(facets["executionParameters"]["parameters"][0]["value"], odd);
    let sent = events.iter().find(|one| one.get("dataset").is_some());
    let told = &sent.unwrap()["dataset"]["facets"]["documentation"]["description"];
    assert_eq!(*told, format!("{odd}\nsecond line"));

    let document = lineage(editor, "digits:2", "prov").await;
    judge("prov", &document);
    let activities = document["activity"].as_object().unwrap();
    assert!(activities.values().any(|one| one["cairn:name"] == odd));
}

#[tokio::test]
async fn what_one_may_not_see_is_in_no_export_and_an_unknown_form_is_refused() {
    let world = World::new().await;
    family(&world).await;
    let viewer = world.client("viewer");
    for format in ["openlineage", "prov"] {
        let said = lineage(viewer, "digits:3", format).await;
        judge(format, &said);
        assert!(!said.to_string().contains("desk"), "another's workspace");
    }
    let path = "/api/v1/projects/vision/lineage?ref=digits:3&format=xml";
    viewer.get(path).await.refused(400);
}

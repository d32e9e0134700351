//! The description of the API is a committed file: a change of the API is a change of that file, which a reviewer reads.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;

use super::app::TestApp;

/// `(operationId, method, path)` of every operation.
pub(crate) fn operations(description: &Value) -> Vec<(String, String, String)> {
    let paths = description["paths"].as_object().unwrap();
    let mut found = Vec::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            found.push((id.to_owned(), method.to_uppercase(), path.clone()));
        }
    }
    found
}

#[tokio::test]
async fn the_description_is_the_committed_one() {
    let app = TestApp::start().await;
    let reply = app.anonymous().get("/api/openapi.json").await;
    reply.expect(200);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &reply.body).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == reply.text(),
        "The API differs from gateway/openapi.json. If that is meant, run\n  \
         UPDATE=1 cargo nextest run -p gateway --test suite the_description\n\
         then regenerate the front end's client, and commit both with the change that caused them."
    );
}

#[tokio::test]
async fn every_operation_is_described_well() {
    let app = TestApp::start().await;
    let description = app.anonymous().get("/api/openapi.json").await.json();
    let operations = operations(&description);
    let ids: BTreeSet<_> = operations.iter().map(|(id, ..)| id).collect();
    assert_eq!(ids.len(), operations.len(), "operationIds are unique");
    assert!(operations.len() > 50);
    for (id, method, path) in &operations {
        let operation = &description["paths"][path][method.to_lowercase()];
        assert!(operation["summary"].is_string(), "{id} has no summary");
        assert!(operation["tags"].is_array(), "{id} has no tag");
        let is_open = operation["security"] == serde_json::json!([{}]);
        assert!(
            is_open || operation["security"].is_array(),
            "{id} says nothing about credentials"
        );
    }
    let components = description["components"]["schemas"].as_object().unwrap();
    for (name, schema) in components {
        assert!(
            schema["description"].is_string(),
            "{name} has no description"
        );
    }
}

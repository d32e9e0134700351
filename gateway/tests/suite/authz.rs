//! The authorisation table: every operation of the API by every kind of caller. An operation without a row fails the build.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use serde_json::{Value, json};

use super::{
    client::Client,
    openapi::operations,
    world::{CALLERS, World},
};

/// One operation: how to ask for it, and what each caller gets.
struct Row {
    /// Its operationId.
    operation: &'static str,
    /// Its method and path; `{…}` is filled in from the world.
    request: &'static str,
    /// Its body as JSON; empty for none.
    body: &'static str,
    /// One character for each of [`CALLERS`]: `+` allowed, `-` 401, `0` 404, `3` 403.
    answers: &'static str,
    /// Whether being allowed uses up what the next caller would need.
    consumes: bool,
}

const fn row(
    operation: &'static str,
    request: &'static str,
    body: &'static str,
    answers: &'static str,
) -> Row {
    Row {
        operation,
        request,
        body,
        answers,
        consumes: false,
    }
}

const fn once(
    operation: &'static str,
    request: &'static str,
    body: &'static str,
    answers: &'static str,
) -> Row {
    Row {
        operation,
        request,
        body,
        answers,
        consumes: true,
    }
}

//   anonymous · stranger · viewer · editor · owner · admin · revoked · expired · workspace token · job token
#[rustfmt::skip]
const TABLE: &[Row] = &[
    row("get_info", "GET /info", "", "++++++++++"),
    row("get_me", "GET /me", "", "-+++++--++"),
    row("update_me", "PATCH /me", r#"{"display_name":"X"}"#, "-+++++--33"),
    row("list_sessions", "GET /sessions", "", "-+++++--33"),
    once("delete_sessions", "DELETE /sessions", "", "-+++++--33"),
    once("delete_session", "DELETE /session", "", "-+++++--33"),
    row("list_tokens", "GET /tokens", "", "-+++++--33"),
    row("create_token", "POST /tokens", r#"{"name":"x","scopes":["read"]}"#, "-+++++--33"),
    once("delete_token", "DELETE /tokens/{token}", "", "-00+00--33"),
    row("get_device", "GET /devices/{user_code}", "", "-+++++--33"),
    once("approve_device", "POST /devices/{user_code}/approve", "", "-+++++--33"),
    once("deny_device", "POST /devices/{user_code}/deny", "", "-+++++--33"),
    row("list_users", "GET /users", "", "-3333+--33"),
    once("create_user", "POST /users", r#"{"name":"new"}"#, "-3333+--33"),
    row("update_user", "PATCH /users/viewer", r#"{"display_name":"X"}"#, "-3333+--33"),
    row("create_user_link", "POST /users/viewer/link", "", "-3333+--33"),
    row("list_collections", "GET /collections", "", "-3333+--33"),
    row("create_collection", "POST /collections", r#"{"dry_run":true}"#, "-3333+--33"),
    row("get_collection", "GET /collections/1", "", "-3333+--33"),
    row("list_scrubs", "GET /scrubs", "", "-3333+--33"),
    row("list_audit", "GET /audit", "", "-3333+--33"),
    row("list_projects", "GET /projects", "", "-+++++--+3"),
    once("create_project", "POST /projects", r#"{"name":"new"}"#, "-+++++--33"),
    row("get_project", "GET /projects/vision", "", "-0++++--++"),
    row("update_project", "PATCH /projects/vision", r#"{"description":"x"}"#, "-033++--33"),
    once("delete_project", "DELETE /projects/{empty}", "", "-000++--00"),
    row("list_members", "GET /projects/vision/members", "", "-0++++--++"),
    row("put_member", "PUT /projects/vision/members/viewer", r#"{"role":"viewer"}"#, "-033++--33"),
    once("delete_member", "DELETE /projects/vision/members/viewer", "", "-0+3++--33"),
    row("list_project_workspaces", "GET /projects/vision/workspaces", "", "-0++++--++"),
    once("create_workspace", "POST /projects/vision/workspaces", r#"{"name":"new"}"#, "-03+++--33"),
    row("list_workspaces", "GET /workspaces", "", "-+++++--+3"),
    row("get_workspace", "GET /workspaces/{workspace}", "", "-00+++--+0"),
    row("start_workspace", "POST /workspaces/{workspace}/start", "", "-00+33--30"),
    row("restart_workspace", "POST /workspaces/{workspace}/restart", "", "-00+33--30"),
    row("open_workspace", "POST /workspaces/{workspace}/open", "", "-00+33--30"),
    row("stop_workspace", "POST /workspaces/{workspace}/stop", "", "-00+++--30"),
    once("delete_workspace", "DELETE /workspaces/{workspace}", "", "-00+++--30"),
    row("put_workspace_input", "PUT /workspaces/{workspace}/inputs/model", r##"{"ref":"#2"}"##, "-00+33--+0"),
    once("delete_workspace_input", "DELETE /workspaces/{workspace}/inputs/kept", "", "-00+33--+0"),
    row("get_workspace_log", "GET /workspaces/{workspace}/log", "", "-00+++--+0"),
    row("list_workspace_runs", "GET /workspaces/{workspace}/runs", "", "-00+++--+0"),
    row("list_jobs", "GET /jobs", "", "-+++++--+3"),
    row("list_project_jobs", "GET /projects/vision/jobs", "", "-0++++--+3"),
    row("create_job", "POST /projects/vision/jobs", r#"{"command":["true"],"snapshot_id":"{snapshot}"}"#, "-03+++--+3"),
    row("get_job", "GET /projects/vision/jobs/1", "", "-0++++--++"),
    row("stop_job", "POST /projects/vision/jobs/2/stop", "", "-03+++--30"),
    row("rerun_job", "POST /projects/vision/jobs/2/rerun", "", "-03+++--+0"),
    row("resume_job", "POST /projects/vision/jobs/2/resume", "", "-03+++--30"),
    row("hold_job", "PUT /projects/vision/jobs/1/hold",
        r#"{"number":1,"cell_number":1,"cells":1,"title":"x","ename":"E","message":"x","limit_ms":1}"#, "-03333--3+"),
    row("get_hold_answer", "GET /projects/vision/jobs/1/hold/answer?number=1", "", "-03333--3+"),
    row("end_hold", "DELETE /projects/vision/jobs/1/hold?number=1&end=expired", "", "-03333--3+"),
    row("get_job_log", "GET /projects/vision/jobs/1/log", "", "-0++++--++"),
    row("follow_job_log", "GET /projects/vision/jobs/2/log/stream", "", "-0++++--+0"),
    row("get_job_series", "GET /projects/vision/jobs/1/series", "", "-0++++--++"),
    row("list_job_files", "GET /projects/vision/jobs/1/files", "", "-0++++--++"),
    row("get_job_file", "GET /projects/vision/jobs/1/files/content?path=train.py", "", "-0++++--++"),
    row("get_job_files", "POST /projects/vision/jobs/1/files/contents", r#"{"paths":["train.py"]}"#, "-0++++--++"),
    row("list_job_outputs", "GET /projects/vision/jobs/2/outputs", "", "-0++++--+0"),
    row("get_job_notebook_page", "GET /projects/vision/jobs/2/outputs/page?path=train.py", "", "-0++++--+0"),
    row("get_job_output", "GET /projects/vision/jobs/2/outputs/content?path=train.py", "", "-0++++--+0"),
    row("get_job_outputs", "POST /projects/vision/jobs/2/outputs/contents", r#"{"paths":["train.py"]}"#, "-0++++--+0"),
    row("list_datasets", "GET /projects/vision/datasets", "", "-0++++--++"),
    once("create_dataset", "POST /projects/vision/datasets", r#"{"name":"new"}"#, "-03+++--+3"),
    row("get_dataset", "GET /projects/vision/datasets/digits", "", "-0++++--++"),
    row("update_dataset", "PATCH /projects/vision/datasets/digits", r#"{"description":"x"}"#, "-03+++--+3"),
    once("delete_dataset", "DELETE /projects/vision/datasets/digits", "", "-033++--33"),
    row("list_dataset_versions", "GET /projects/vision/datasets/digits/versions", "", "-0++++--++"),
    row("create_dataset_version", "POST /projects/vision/datasets/digits/versions", r##"{"sources":[{"ref":"#2"}]}"##, "-03+++--+3"),
    row("get_dataset_version", "GET /projects/vision/datasets/digits/versions/latest", "", "-0++++--++"),
    row("list_dataset_files", "GET /projects/vision/datasets/digits/versions/1/files", "", "-0++++--++"),
    row("get_dataset_file", "GET /projects/vision/datasets/digits/versions/kept/files/content?path=train.py", "", "-0++++--++"),
    row("get_dataset_files", "POST /projects/vision/datasets/digits/versions/kept/files/contents", r#"{"paths":["train.py"]}"#, "-0++++--++"),
    row("diff_dataset_versions", "GET /projects/vision/datasets/digits/versions/1/diff", "", "-0++++--++"),
    row("list_dataset_alias_moves", "GET /projects/vision/datasets/digits/aliases", "", "-0++++--++"),
    row("create_adoption", "POST /projects/vision/datasets/digits/adoptions", r#"{"uri":"s3://lab/data/x"}"#, "-03+++--+3"),
    row("get_adoption", "GET /projects/vision/datasets/digits/adoptions/{adoption}", "", "-0++++--++"),
    row("get_lineage", "GET /projects/vision/lineage?ref=digits:1", "", "-0++++--++"),
    row("verify_dataset_version", "POST /projects/vision/datasets/digits/versions/1/verify", "{}", "-03+++--+3"),
    row("put_dataset_alias", "PUT /projects/vision/datasets/digits/aliases/best", r#"{"number":1}"#, "-03+++--+3"),
    once("delete_dataset_alias", "DELETE /projects/vision/datasets/digits/aliases/kept", "", "-03+++--+3"),
    row("retract_dataset_version", "DELETE /projects/vision/datasets/digits/versions/1", "", "-03+++--+3"),
    row("create_upload", "POST /projects/vision/uploads", r#"{"kind":"snapshot"}"#, "-03+++--+3"),
    row("declare_entries", "POST /uploads/{upload}/entries", "[]", "-00+00--+3"),
    row("get_upload_offset", "HEAD /uploads/{upload}/objects/{hash}", "", "-00+00--+3"),
    row("put_upload_object", "PUT /uploads/{upload}/objects/{hash}", "", "-00+00--+3"),
    row("put_upload_objects", "POST /uploads/{upload}/objects", "", "-00+00--+3"),
    row("seal_upload", "POST /uploads/{full}/seal", "", "-00+00--+3"),
    once("delete_upload", "DELETE /uploads/{upload}", "", "-00+00--+3"),
    row("propose_cells", "POST /notebooks/cells", r#"{"notebook":{},"selected":[0]}"#, "-+++++--+3"),
    row("list_environments", "GET /environments", "", "-+++++--+3"),
    row("get_environment_log", "GET /environments/default/log", "", "-+++++--+3"),
    row("build_environment", "POST /environments/default/build", "", "-+++++--33"),
    row("list_machine_types", "GET /machine-types", "", "-+++++--+3"),
    row("list_machines", "GET /machines", "", "-+++++--+3"),
    once("create_machine", "POST /machines", r#"{"name":"new"}"#, "-3333+--33"),
    row("update_machine", "PATCH /machines/desk", r#"{"draining":true}"#, "-3333+--33"),
    row("create_machine_token", "POST /machines/desk/token", "", "-3333+--33"),
    row("delete_machine", "DELETE /machines/desk", "", "-3333+--33"),
];

/// Operations for people without credentials; they have tests of their own.
const OPEN: &[&str] = &[
    "create_session",
    "exchange_link",
    "create_device",
    "poll_device",
];

/// Streams that do not end; the table's test cannot read them to their end. Their rows are in `streams.rs`.
const ENDLESS: &[&str] = &["follow_events"];

#[tokio::test]
async fn every_operation_has_a_row() {
    let world = World::new().await;
    let description = world.app.anonymous().get("/api/openapi.json").await.json();
    let described: BTreeSet<String> = operations(&description)
        .into_iter()
        .map(|(id, ..)| id)
        .collect();
    let rows = TABLE.iter().map(|row| row.operation);
    let covered: BTreeSet<String> = rows
        .chain(OPEN.iter().copied())
        .chain(ENDLESS.iter().copied())
        .map(str::to_owned)
        .collect();
    let missing: Vec<_> = described.difference(&covered).collect();
    assert!(
        missing.is_empty(),
        "These operations have no row in the authorisation table: {missing:?}\n\
         Add a row to TABLE in gateway/tests/suite/authz.rs that says what each kind of caller gets, and think about each of the ten: \
         what they may not see must look as if it did not exist (404); 403 is for what they may see but not do. If the operation needs \
         a right that `Action` in gateway/src/authz.rs lacks, add it there, never in a handler."
    );
    let gone: Vec<_> = covered.difference(&described).collect();
    assert!(
        gone.is_empty(),
        "These rows are for operations that do not exist: {gone:?}"
    );
    for row in TABLE {
        assert_eq!(row.answers.len(), CALLERS.len(), "{}", row.operation);
    }
}

#[tokio::test]
async fn nobody_gets_more_or_less_than_the_table_says() {
    let mut wrong = Vec::new();
    let mut world = World::new().await;
    let mut names = names(&world).await;
    for row in TABLE {
        for (caller, expected) in CALLERS.iter().zip(row.answers.chars()) {
            let got = ask(&world, &names, row, caller).await;
            if got.0 != expected {
                wrong.push(format!(
                    "{} by {caller}: expected {expected}, got {} {}",
                    row.operation, got.0, got.1
                ));
            }
            if row.consumes && got.0 == '+' {
                world = World::new().await;
                names = self::names(&world).await;
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// A page acts as the workspace that it belongs to, whoever looks at it; and some of the API is for no page at all.
#[tokio::test]
async fn a_page_of_a_workspace_gets_what_its_token_gets() {
    const NO_PAGES: &[&str] = &[
        "sessions",
        "session",
        "tokens",
        "devices",
        "users",
        "audit",
        "collections",
        "scrubs",
    ];
    let world = World::new().await;
    let names = names(&world).await;
    let page = world.page().await;
    let column = CALLERS
        .iter()
        .position(|caller| *caller == "workspace token");
    let mut wrong = Vec::new();
    for row in TABLE {
        let expected = row.answers.chars().nth(column.unwrap()).unwrap();
        let path = row.request.split_once('/').unwrap().1;
        let closed = NO_PAGES.contains(&path.split('/').next().unwrap());
        let expected = if closed { '0' } else { expected };
        let got = ask_as(&page, &names, row).await;
        if got.0 != expected {
            wrong.push(format!(
                "{}: expected {expected}, got {got:?}",
                row.operation
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What fills the paths.
async fn names(world: &World) -> BTreeMap<&'static str, String> {
    let owner = world.client("owner");
    let empty = owner
        .post("/api/v1/projects", json!({"name": "empty"}))
        .await
        .expect(201);
    let editor = world.client("editor");
    let attach = format!("/api/v1/workspaces/{}/inputs/kept", world.workspace);
    editor.put(&attach, json!({"ref": "#2"})).await.expect(200);
    let full = super::world::upload(editor).await;
    super::datasets::digits(editor).await;
    let adoption = editor
        .post(
            "/api/v1/projects/vision/datasets/digits/adoptions",
            json!({"uri": "s3://lab/data/y"}),
        )
        .await
        .expect(202);
    BTreeMap::from([
        ("{token}", world.token.clone()),
        ("{adoption}", adoption["id"].as_str().unwrap().to_owned()),
        ("{user_code}", world.user_code.clone()),
        ("{empty}", empty["id"].as_str().unwrap().to_owned()),
        ("{workspace}", world.workspace.to_string()),
        ("{snapshot}", world.snapshot.to_string()),
        ("{upload}", world.upload.clone()),
        ("{full}", full),
        ("{hash}", world.hash.clone()),
    ])
}

async fn ask(
    world: &World,
    names: &BTreeMap<&str, String>,
    row: &Row,
    caller: &str,
) -> (char, String) {
    ask_as(world.client(caller), names, row).await
}

async fn ask_as(client: &Client, names: &BTreeMap<&str, String>, row: &Row) -> (char, String) {
    let fill = |text: &str| {
        names.iter().fold(text.to_owned(), |text, (name, value)| {
            text.replace(name, value)
        })
    };
    let (method, path) = row.request.split_once(' ').unwrap();
    let method: Method = method.parse().unwrap();
    let path = fill(&format!("/api/v1{path}"));
    let body =
        (!row.body.is_empty()).then(|| serde_json::from_str::<Value>(&fill(row.body)).unwrap());
    let reply = client.send(method, &path, body).await;
    let answer = match reply.status.as_u16() {
        401 => '-',
        403 => '3',
        404 => '0',
        // Allowed, whatever the state of the thing makes of it.
        200..=299 | 400 | 409 => '+',
        _ => '?',
    };
    (
        answer,
        format!(
            "({}) {}",
            reply.status,
            reply.text().chars().take(200).collect::<String>()
        ),
    )
}

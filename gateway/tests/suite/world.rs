//! A project with everything in it, and one of each kind of caller.

use serde_json::{Map, Value, json};
use storage::{
    ids::{AttemptId, JobId, ProjectId, SnapshotId, TokenId, UserId, WorkspaceId},
    jobs::{self, Ending, NewJob, Outputs, State},
    members::{self, Role},
    projects, snapshot,
    tokens::{self, NewToken},
    workspaces::{self, NewWorkspace},
};

use super::{
    app::{DAY_MS, NOW_MS, TestApp},
    client::Client,
};

/// The callers, in the order of the columns of the authorisation table.
pub(crate) const CALLERS: [&str; 10] = [
    "anonymous",
    "stranger",
    "viewer",
    "editor",
    "owner",
    "admin",
    "revoked token",
    "expired token",
    "workspace token",
    "job token",
];

pub(crate) struct World {
    pub(crate) app: TestApp,
    pub(crate) project: ProjectId,
    pub(crate) editor: UserId,
    /// The editor's.
    pub(crate) workspace: WorkspaceId,
    pub(crate) snapshot: SnapshotId,
    /// An upload of the editor's that is open.
    pub(crate) upload: String,
    pub(crate) hash: String,
    pub(crate) clients: Vec<Client>,
    pub(crate) token: String,
    pub(crate) user_code: String,
}

impl World {
    /// A page of the editor's workspace, as their browser has it: it asks for `/api/…` below the workspace's own door.
    pub(crate) async fn page(&self) -> Client {
        let open = format!("/api/v1/workspaces/{}/open", self.workspace);
        let opened = self.client("editor").post(&open, Value::Null).await;
        let url: url::Url = opened.expect(200)["url"].as_str().unwrap().parse().unwrap();
        let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let browser = self.app.anonymous().at(&host);
        let path = format!("{}?{}", url.path(), url.query().unwrap());
        let entered = browser.get(&path).await;
        let cookie = entered.headers["set-cookie"].to_str().unwrap();
        browser
            .header("cookie", cookie.split(';').next().unwrap())
            .header("origin", &format!("http://{host}"))
            .header("sec-fetch-site", "same-origin")
            .below(&format!("/w/{}/.cairn", self.workspace))
    }

    pub(crate) async fn new() -> Self {
        let app = TestApp::start().await;
        let admin = app.user("admin", true).await.id;
        let owner = app.user("owner", false).await.id;
        let editor = app.user("editor", false).await.id;
        let viewer = app.user("viewer", false).await.id;
        let stranger = app.user("stranger", false).await.id;
        let project = project(&app, owner, editor, viewer).await;
        let workspace = workspace(&app, project, editor).await;
        let ed = app.signed_in(editor).await;
        let (snapshot, manifest) = uploaded(&ed).await;
        let (running, _) = job(&app, project, editor, snapshot).await;
        let (_, ended) = job(&app, project, editor, snapshot).await;
        finish(&app, ended, &manifest).await;
        let upload = upload(&ed).await;
        let hash = blake3(b"print(2)\n");
        declare(&ed, &upload, &hash, 9).await;
        let (programs, kept) = programs(&app, editor, workspace, running).await;
        let device = app
            .anonymous()
            .post("/api/v1/devices", json!({"name": "x"}))
            .await
            .expect(201);
        let mut clients = vec![
            app.anonymous(),
            app.signed_in(stranger).await,
            app.signed_in(viewer).await,
            ed,
            app.signed_in(owner).await,
            app.signed_in(admin).await,
        ];
        clients.extend(programs);
        let user_code = device["user_code"].as_str().unwrap().to_owned();
        Self {
            app,
            project,
            editor,
            workspace,
            snapshot,
            upload,
            hash,
            clients,
            token: kept.to_string(),
            user_code,
        }
    }

    /// A job that has ended and left what is in `folder`. Gives its number.
    pub(crate) async fn job_that_left(&self, folder: &std::path::Path) -> i64 {
        let options = snapshot::Options::new(self.project);
        let store = self.app.control.store();
        let taken = snapshot::take(store, folder, options).await.unwrap();
        let captured = taken.commit(store).await.unwrap();
        let (job, attempt) = job(&self.app, self.project, self.editor, self.snapshot).await;
        let digest = captured.summary.manifest_digest.to_string();
        finish(&self.app, attempt, &digest).await;
        let found = jobs::get(self.app.control.db(), job).await.unwrap();
        found.unwrap().number
    }

    /// The client of a caller by name.
    pub(crate) fn client(&self, caller: &str) -> &Client {
        &self.clients[CALLERS.iter().position(|name| *name == caller).unwrap()]
    }
}

/// Clients with a revoked, an expired, a workspace's and a job's token, and the id of one more token.
async fn programs(
    app: &TestApp,
    user_id: UserId,
    workspace: WorkspaceId,
    job: JobId,
) -> (Vec<Client>, TokenId) {
    let token = |workspace_id, job_id, expires_ms| NewToken {
        user_id,
        name: "test".to_owned(),
        scopes: ["read", "write", "workspaces", "account"]
            .map(str::to_owned)
            .to_vec(),
        expires_ms,
        workspace_id,
        job_id,
    };
    let (revoked, first) = app.make_token(&token(None, None, None)).await;
    let (_, second) = app.make_token(&token(None, None, Some(NOW_MS + 1))).await;
    let (_, third) = app.make_token(&token(Some(workspace), None, None)).await;
    let (_, fourth) = app.make_token(&token(None, Some(job), None)).await;
    app.write(move |mut tx| async move { tokens::revoke(&mut tx, user_id, revoked.id).await })
        .await;
    app.clock.advance(2);
    let lasting = token(None, None, Some(NOW_MS + DAY_MS));
    let (kept, _) = app.make_token(&lasting).await;
    let clients = [first, second, third, fourth].map(|secret| app.with_token(&secret));
    (clients.to_vec(), kept.id)
}

async fn project(app: &TestApp, owner: UserId, editor: UserId, viewer: UserId) -> ProjectId {
    app.write(move |mut tx| async move {
        let project = projects::create(&mut tx, "vision", "", owner).await?.id;
        members::put(&mut tx, project, editor, Role::Editor).await?;
        members::put(&mut tx, project, viewer, Role::Viewer).await?;
        Ok(project)
    })
    .await
}

async fn workspace(app: &TestApp, project_id: ProjectId, user_id: UserId) -> WorkspaceId {
    let new = NewWorkspace {
        project_id,
        user_id,
        name: "desk".to_owned(),
        environment: "default".to_owned(),
        machine: "local".to_owned(),
        inputs: Vec::new(),
    };
    let new = &new;
    app.write(move |mut tx| async move { workspaces::create(&mut tx, new).await })
        .await
        .id
}

pub(crate) fn blake3(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

pub(crate) async fn upload(client: &Client) -> String {
    let made = client
        .post(
            "/api/v1/projects/vision/uploads",
            json!({"kind": "snapshot"}),
        )
        .await
        .expect(201);
    made["id"].as_str().unwrap().to_owned()
}

pub(crate) async fn declare(client: &Client, upload: &str, hash: &str, size: usize) -> Value {
    let entries = json!([{"path": "train.py", "hash": hash, "size": size, "executable": false}]);
    client
        .post(&format!("/api/v1/uploads/{upload}/entries"), entries)
        .await
        .expect(200)
}

/// A snapshot of one file, by the way that `cairn run` takes; its id and its manifest.
async fn uploaded(client: &Client) -> (SnapshotId, String) {
    let content = b"print(1)\n";
    let hash = blake3(content);
    let upload = upload(client).await;
    assert_eq!(
        declare(client, &upload, &hash, content.len()).await["missing"],
        json!([hash])
    );
    let path = format!("/api/v1/uploads/{upload}/objects/{hash}");
    let sent = client
        .bytes(http::Method::PUT, &path, content.to_vec())
        .await
        .expect(200);
    assert_eq!(sent, json!({"offset": 9, "complete": true}));
    let sealed = client
        .post(&format!("/api/v1/uploads/{upload}/seal"), Value::Null)
        .await
        .expect(200);
    let id = sealed["snapshot"]["id"].as_str().unwrap().parse().unwrap();
    (id, sealed["manifest_digest"].as_str().unwrap().to_owned())
}

/// A job that runs.
async fn job(
    app: &TestApp,
    project_id: ProjectId,
    user_id: UserId,
    snapshot_id: SnapshotId,
) -> (JobId, AttemptId) {
    let new = NewJob {
        project_id,
        user_id,
        name: "train".to_owned(),
        workspace_id: None,
        snapshot_id,
        command: Some(vec!["python".to_owned(), "train.py".to_owned()]),
        notebook: None,
        parameters: Map::new(),
        inputs: Vec::new(),
        environment: "default".to_owned(),
        machine: "local".to_owned(),
        idempotency_key: None,
        rerun_of: None,
        time_limit_ms: None,
        cell_time_limit_ms: None,
        hold_ms: None,
        tags: Vec::new(),
        retries: 0,
        queue: true,
    };
    let new = &new;
    app.write(move |mut tx| async move {
        let id = jobs::create(&mut tx, new).await?.job.id;
        let begun = jobs::claim_job(&mut tx, id).await?;
        let missing = || storage::Error::not_found("the job");
        Ok((id, begun.ok_or_else(missing)?.1.id))
    })
    .await
}

/// Ends a job that runs; the files of `manifest` are what it left.
async fn finish(app: &TestApp, attempt: AttemptId, manifest: &str) {
    let ending = Ending {
        state: State::Complete,
        message: None,
        exit_code: Some(0),
        signal: None,
        outputs: Some(Outputs {
            manifest_digest: manifest.to_owned(),
            content_digest: manifest.to_owned(),
            files: 1,
            bytes: 9,
            skipped: Vec::new(),
        }),
        log_hash: None,
        log_bytes: 0,
    };
    let ending = &ending;
    app.write(move |mut tx| async move { jobs::finish(&mut tx, attempt, ending).await })
        .await;
}

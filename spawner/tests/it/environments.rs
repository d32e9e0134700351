//! Real environments by a real `uv`, and a real Jupyter server in one, inside the sandbox.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use spawner::environments::{State, find_uv};
use spawner::{EnvironmentSpec, Environments, Error};

static HINT: Mutex<()> = Mutex::new(());

/// `uv`, from `CAIRN_TEST_UV`, the `PATH` or the home folder; says so if there is none.
fn uv() -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let given = std::env::var_os("CAIRN_TEST_UV").map(PathBuf::from);
    let found = given.or_else(|| find_uv(Path::new("/usr/local/bin"), &path, home.as_deref()));
    if found.is_none() {
        let _one_line_at_a_time = HINT.lock();
        eprintln!("skipped: no uv here");
    }
    found
}

fn spec(packages: &[&str]) -> EnvironmentSpec {
    EnvironmentSpec {
        name: "test".into(),
        python: None,
        packages: packages.iter().map(|p| (*p).to_owned()).collect(),
        image: None,
        contained: false,
    }
}

#[tokio::test]
async fn concurrent_requests_share_one_build() {
    let Some(uv) = uv() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (
        Environments::new(folder.path(), &uv),
        Environments::new(folder.path(), &uv),
    );
    let wanted = spec(&["six==1.17.0"]);
    assert_eq!(a.state(&wanted).await.unwrap(), State::Missing);
    let (one, two) = tokio::join!(a.ensure(&wanted), b.ensure(&wanted));
    let one = one.unwrap();
    assert_eq!(one, two.unwrap());
    assert_eq!(b.state(&wanted).await.unwrap(), State::Ready);
    let log = std::fs::read_to_string(a.log_path(&one.digest)).unwrap();
    assert_eq!(log.matches("$ uv venv").count(), 1, "{log}");
    assert!(
        log.contains("six==1.17.0") && log.ends_with("Ready.\n"),
        "{log}"
    );
    let status = std::process::Command::new(one.path.join("bin/python"))
        .args(["-c", "import six"])
        .status()
        .unwrap();
    assert!(status.success());
}

#[tokio::test]
async fn a_failed_build_leaves_only_its_log() {
    let Some(uv) = uv() else { return };
    let folder = tempfile::tempdir().unwrap();
    let environments = Environments::new(folder.path(), &uv);
    let wanted = spec(&["six==99.99.99"]);
    let error = environments.ensure(&wanted).await.unwrap_err();
    assert!(
        matches!(&error, Error::Build { message, .. } if message.contains("six")),
        "{error}"
    );
    let digest = environments.digest(&wanted).await.unwrap();
    assert!(!folder.path().join(&digest).exists());
    let state = environments.state(&wanted).await.unwrap();
    assert!(
        matches!(&state, State::Failed(tail) if tail.contains("six")),
        "{state:?}"
    );
    assert!(environments.log_path(&digest).exists());
}

#[tokio::test]
async fn an_interrupted_build_is_done_again() {
    let Some(uv) = uv() else { return };
    let folder = tempfile::tempdir().unwrap();
    let environments = Environments::new(folder.path(), &uv);
    let wanted = spec(&[]);
    let path = folder
        .path()
        .join(environments.digest(&wanted).await.unwrap());
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("rubbish"), "").unwrap();
    let built = environments.ensure(&wanted).await.unwrap();
    assert!(built.path.join("bin/python").exists() && !built.path.join("rubbish").exists());
}

/// JupyterLab as control runs it: token in a file, unix socket, home and project mounted.
mod jupyter {
    use std::time::Duration;

    use serde_json::{Value, json};
    use spawner::{Endpoint, Mount, Secret, Spec};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    use crate::rig::Bench;

    /// Talks to a kernel over its connection file, inside the sandbox: runs a cell, interrupts an endless one, runs another.
    const CLIENT: &str = r"
import sys, time
from jupyter_client import BlockingKernelClient
client = BlockingKernelClient(connection_file=sys.argv[1])
client.load_connection_file()
client.start_channels()
client.wait_for_ready(timeout=60)
print('ready', flush=True)
client.execute('import time; print(6 * 7, flush=True); time.sleep(600)')
while True:
    reply = client.get_iopub_msg(timeout=60)
    if reply['msg_type'] == 'stream':
        print(reply['content']['text'].strip(), flush=True)
    if reply['msg_type'] == 'error':
        print(reply['content']['ename'], flush=True)
        break
";

    async fn request(bench: &Bench, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let handle = spawner::Handle {
            runtime: "process".into(),
            id: "jupyter".into(),
        };
        let socket = bench.runtime.address(&handle).await.unwrap().unwrap();
        let mut stream = UnixStream::connect(socket).await.unwrap();
        let body = body.map(|b| b.to_string()).unwrap_or_default();
        let head = format!(
            "{method} /w/x{path} HTTP/1.0\r\nAuthorization: token t0ken\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    fn server(bench: &Bench, mounts: Vec<Mount>, python: &str) -> Spec {
        let options = [
            "--ServerApp.sock=/cairn/run/server.sock",
            "--ServerApp.base_url=/w/x/",
            "--ServerApp.root_dir=/home/cairn",
            "--ServerApp.open_browser=False",
        ];
        let argv: Vec<&str> = [python, "-m", "jupyterlab"]
            .into_iter()
            .chain(options)
            .collect();
        let mut spec = bench.command("jupyter", &argv);
        spec.mounts = mounts;
        spec.cwd = "/home/cairn".into();
        spec.env.insert("HOME".into(), "/home/cairn".into());
        spec.env
            .insert("JUPYTER_TOKEN_FILE".into(), "/cairn/secrets/token".into());
        spec.secrets.push(Secret {
            name: "token".into(),
            bytes: b"t0ken".to_vec(),
        });
        spec.endpoint = Some(Endpoint {
            target: "/cairn/run/server.sock".into(),
            ready_path: "/w/x/api".into(),
            start_timeout_ms: 60_000,
        });
        spec
    }

    /// Runs beside the server, over the same home and the host's network, as the work's own terminal would.
    async fn client(
        bench: &Bench,
        python: &str,
        kernel: &str,
        mounts: Vec<Mount>,
    ) -> spawner::Handle {
        let file = format!("/home/cairn/.local/share/jupyter/runtime/kernel-{kernel}.json");
        let mut client = bench.command("client", &[python, "/home/cairn/client.py", &file]);
        client.mounts = mounts;
        client.env.insert("HOME".into(), "/home/cairn".into());
        bench.start(client).await
    }

    #[tokio::test]
    async fn a_kernel_runs_and_is_interrupted_inside_the_sandbox() {
        let (Some(uv), Some(bench)) = (super::uv(), Bench::sandboxed()) else {
            return;
        };
        let cache = super::Environments::new(bench.folder.path().join("data/environments"), uv);
        let built = cache
            .ensure(&super::spec(&["jupyterlab==4.6.*", "ipykernel"]))
            .await
            .unwrap();
        let home = bench.rig.folder.join("home");
        std::fs::create_dir(&home).unwrap();
        std::fs::write(home.join("client.py"), CLIENT).unwrap();
        let mut mounts = built.mounts;
        mounts.push(Mount::read_write(&home, "/home/cairn"));
        let python = built.path.join("bin/python");
        let handle = bench
            .start(server(&bench, mounts.clone(), python.to_str().unwrap()))
            .await;
        bench.until(&handle, |s| s.ready).await;
        let (status, kernel) = request(
            &bench,
            "POST",
            "/api/kernels",
            Some(json!({"name": "python3"})),
        )
        .await;
        assert_eq!(status, 201, "{kernel}");
        let id = kernel["id"].as_str().unwrap().to_owned();
        let (status, terminal) = request(&bench, "POST", "/api/terminals", None).await;
        assert_eq!(status, 200, "{terminal}");
        let client = client(&bench, python.to_str().unwrap(), &id, mounts).await;
        bench.line(&client, "42").await;
        assert_eq!(
            request(
                &bench,
                "POST",
                &format!("/api/kernels/{id}/interrupt"),
                None
            )
            .await
            .0,
            204
        );
        let exit = bench.end(&client).await;
        let output = bench.output(&client).await;
        assert!(
            exit.success() && output.ends_with("KeyboardInterrupt\n"),
            "{exit:?} {output}"
        );
        assert_eq!(
            request(&bench, "GET", "/api/contents/client.py?content=0", None)
                .await
                .0,
            200
        );
        bench
            .runtime
            .stop(&handle, Duration::from_secs(10))
            .await
            .unwrap();
    }
}

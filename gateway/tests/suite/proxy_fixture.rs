//! A gateway on a real port in front of real servers on unix sockets, and clients that speak to it. Records are a table in memory:
//! the app's own come with its tests.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use gateway::{
    Config,
    config::{Listener, Role},
    front::Front,
    listen::{Drain, Listening},
    proxy::{Address, Bounds, Credential, Entry, Proxy, Unanswered, Upstream, Verdict, Workspaces},
};
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use storage::ids::WorkspaceId;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixListener, UnixStream},
    sync::{Semaphore, watch},
    time::timeout,
};
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::WebSocketConfig};

use super::proxy_echo::Echo;

/// Alice's workspace.
pub(crate) const A: &str = "01939d4e-8a3b-7c11-9d2e-0123456789ab";
/// Bob's workspace.
pub(crate) const B: &str = "01939d4e-8a3b-7c11-9d2e-0123456789ac";
/// Long enough for a loaded machine; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) fn id(text: &str) -> WorkspaceId {
    text.parse().unwrap()
}

/// Who may enter what, and where the servers are.
pub(crate) struct Records {
    table: Mutex<Table>,
    changes: watch::Sender<u64>,
    pub(crate) touches: AtomicUsize,
    pub(crate) asked: AtomicUsize,
    pub(crate) silent: AtomicBool,
}

#[derive(Default)]
struct Table {
    open: HashSet<(String, WorkspaceId)>,
    upstreams: HashMap<WorkspaceId, Upstream>,
    codes: HashMap<String, WorkspaceId>,
}

impl Records {
    pub(crate) fn allow(&self, credential: &str, workspace: &str) {
        self.table
            .lock()
            .unwrap()
            .open
            .insert((credential.to_owned(), id(workspace)));
    }

    /// Takes a credential back without telling anyone: the next look must find it.
    pub(crate) fn revoke(&self, credential: &str, workspace: &str) {
        self.table
            .lock()
            .unwrap()
            .open
            .remove(&(credential.to_owned(), id(workspace)));
    }

    pub(crate) fn set_upstream(&self, workspace: &str, upstream: Upstream) {
        self.table
            .lock()
            .unwrap()
            .upstreams
            .insert(id(workspace), upstream);
        self.changes.send_modify(|change| *change += 1);
    }

    pub(crate) fn add_code(&self, code: &str, workspace: &str) {
        self.table
            .lock()
            .unwrap()
            .codes
            .insert(code.to_owned(), id(workspace));
    }
}

impl Workspaces for Records {
    async fn authorise(
        &self,
        credential: Credential<'_>,
        workspace: &WorkspaceId,
    ) -> Result<Verdict, Unanswered> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.silent.load(Ordering::Relaxed) {
            return Err(Unanswered);
        }
        let text = match credential {
            Credential::Token(text) => format!("token {text}"),
            Credential::Cookie(text) => format!("cookie {text}"),
        };
        let open = self
            .table
            .lock()
            .unwrap()
            .open
            .contains(&(text, *workspace));
        Ok(if open {
            Verdict::Allowed {
                user: "alice".into(),
            }
        } else {
            Verdict::Denied
        })
    }

    async fn resolve(&self, workspace: &WorkspaceId) -> Result<Upstream, Unanswered> {
        let table = self.table.lock().unwrap();
        Ok(table
            .upstreams
            .get(workspace)
            .cloned()
            .unwrap_or(Upstream::Stopped))
    }

    async fn enter(
        &self,
        workspace: &WorkspaceId,
        code: &str,
    ) -> Result<Option<Entry>, Unanswered> {
        let mut table = self.table.lock().unwrap();
        if table.codes.get(code) != Some(workspace) {
            return Ok(None);
        }
        table.codes.remove(code);
        table.open.insert(("cookie entered".to_owned(), *workspace));
        Ok(Some(Entry {
            cookie: "entered".to_owned(),
            lifetime: Duration::from_mins(1),
        }))
    }

    async fn api(
        &self,
        _: gateway::proxy::Asked<'_>,
        _: http::Request<hyper::body::Incoming>,
    ) -> Result<http::Response<axum::body::Body>, Unanswered> {
        Err(Unanswered)
    }

    async fn leave(&self, workspace: &WorkspaceId, cookie: &str) -> Result<(), Unanswered> {
        self.table
            .lock()
            .unwrap()
            .open
            .remove(&(format!("cookie {cookie}"), *workspace));
        self.changes.send_modify(|change| *change += 1);
        Ok(())
    }

    fn touch(&self, _: &WorkspaceId) {
        self.touches.fetch_add(1, Ordering::Relaxed);
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

/// A gateway with Alice's cookie `alice` and token `tok` for workspace `A`, and Bob's cookie `bob` for `B`.
pub(crate) struct Gateway {
    pub(crate) port: u16,
    pub(crate) records: Arc<Records>,
    pub(crate) proxy: Arc<Proxy<Records>>,
    pub(crate) drain: Drain,
    pub(crate) folder: tempfile::TempDir,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        Self::start_with(Bounds::default(), |_| ()).await
    }

    pub(crate) async fn start_with(bounds: Bounds, adjust: impl FnOnce(&mut Config)) -> Self {
        Self::start_as(Role::App, bounds, adjust).await
    }

    /// The second listener of a gateway whose app lives at port 1.
    pub(crate) async fn start_shared() -> Self {
        Self::start_as(Role::Workspaces, Bounds::default(), |config| {
            config.workspace_url = Some(config.public_url.clone());
            config.public_url = "http://localhost:1".parse().unwrap();
            config.workspace_domain = None;
        })
        .await
    }

    async fn start_as(role: Role, bounds: Bounds, adjust: impl FnOnce(&mut Config)) -> Self {
        let address = "127.0.0.1:0".parse().unwrap();
        let listener = Listener {
            address,
            role,
            tls: None,
        };
        let listening = Listening::bind(&listener).await.unwrap();
        let address = listening.local_addr().unwrap();
        let mut config = Config::new(
            format!("http://localhost:{}", address.port())
                .parse()
                .unwrap(),
            address,
        );
        adjust(&mut config);
        let records = Arc::new(Records {
            table: Mutex::default(),
            changes: watch::Sender::new(0),
            touches: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
            silent: AtomicBool::new(false),
        });
        records.allow("cookie alice", A);
        records.allow("token tok", A);
        records.allow("cookie bob", B);
        let proxy = Proxy::new(&config, records.clone(), bounds);
        let app = axum::Router::new().fallback(|| async { "the app" });
        let front = Arc::new(Front::new(&config, app, proxy.clone()));
        let drain = Drain::new();
        let serve = listening.serve(
            Arc::new(config),
            Arc::new(Semaphore::new(20_000)),
            drain.clone(),
            move |request, arrival| {
                let front = front.clone();
                async move { front.handle(request, arrival).await }
            },
        );
        tokio::spawn(serve);
        Self {
            port: address.port(),
            records,
            proxy,
            drain,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A gateway whose workspace `A` is served by the echo server.
    pub(crate) async fn with_echo() -> (Self, Arc<Echo>) {
        let gateway = Self::start().await;
        let echo = gateway.run_echo(A);
        (gateway, echo)
    }

    pub(crate) fn socket(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn run_echo(&self, workspace: &str) -> Arc<Echo> {
        let socket = self.socket(&format!("{workspace}.sock"));
        let echo = Echo::start(&socket);
        self.upstream(workspace, &socket);
        echo
    }

    pub(crate) fn upstream(&self, workspace: &str, socket: &Path) {
        let address = Address::Unix(socket.to_owned());
        self.records.set_upstream(
            workspace,
            Upstream::Running {
                address,
                token: "server-token".into(),
            },
        );
    }

    /// A server that does on each connection what `script` says.
    pub(crate) fn run_script<F, Fut>(&self, workspace: &str, script: F)
    where
        F: Fn(UnixStream) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let socket = self.socket(&format!("{workspace}.raw"));
        let listener = UnixListener::bind(&socket).unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(script(stream));
            }
        });
        self.upstream(workspace, &socket);
    }

    pub(crate) fn host(&self, workspace: &str) -> String {
        format!("{workspace}.localhost:{}", self.port)
    }

    pub(crate) fn origin(&self, workspace: &str) -> String {
        format!("http://{}", self.host(workspace))
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }

    /// Sends bytes on a connection of their own and reads until the gateway closes it.
    pub(crate) async fn raw(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_ref()).await.unwrap();
        let mut answer = Vec::new();
        // A reset after the answer is as good as an end.
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer))
            .await
            .expect("an end");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// A request to a workspace's origin with Alice's cookie, changed by `change`.
    pub(crate) async fn ask(
        &self,
        path: &str,
        change: impl FnOnce(&mut Request<Full<Bytes>>),
    ) -> Reply {
        let mut request = Request::new(Full::default());
        *request.uri_mut() = path.parse().unwrap();
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.host(A).parse().unwrap());
        headers.insert(header::COOKIE, "cairn_workspace=alice".parse().unwrap());
        change(&mut request);
        self.send(request).await
    }

    pub(crate) async fn send<T>(&self, request: Request<T>) -> Reply
    where
        T: hyper::body::Body<Data = Bytes> + Send + 'static,
        T::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let response = self.open(request).await;
        let (parts, body) = response.into_parts();
        let collected = timeout(PATIENCE, body.collect()).await.unwrap().unwrap();
        let trailers = collected.trailers().cloned();
        Reply {
            status: parts.status,
            headers: parts.headers,
            body: collected.to_bytes(),
            trailers,
        }
    }

    /// Sends a request and gives the answer back once its head is there.
    pub(crate) async fn open<T>(&self, request: Request<T>) -> Response<Incoming>
    where
        T: hyper::body::Body<Data = Bytes> + Send + 'static,
        T::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let io = TokioIo::new(self.connect().await);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        let connection = Box::pin(connection);
        tokio::spawn(connection);
        timeout(PATIENCE, sender.send_request(request))
            .await
            .unwrap()
            .unwrap()
    }

    /// Opens a WebSocket to workspace `A` with Alice's cookie and the right origin, changed by `change`.
    pub(crate) async fn websocket(
        &self,
        path: &str,
        change: impl FnOnce(&mut HeaderMap),
    ) -> Result<
        (WebSocketStream<TcpStream>, Response<Option<Vec<u8>>>),
        tokio_tungstenite::tungstenite::Error,
    > {
        use tokio_tungstenite::tungstenite::client::IntoClientRequest;
        let mut request = format!("ws://{}{path}", self.host(A))
            .into_client_request()
            .unwrap();
        let headers = request.headers_mut();
        headers.insert(header::COOKIE, "cairn_workspace=alice".parse().unwrap());
        headers.insert(header::ORIGIN, self.origin(A).parse().unwrap());
        change(headers);
        let stream = self.connect().await;
        timeout(
            PATIENCE,
            tokio_tungstenite::client_async_with_config(request, stream, Some(large())),
        )
        .await
        .unwrap()
    }

    /// As `websocket`, for one that is refused.
    pub(crate) async fn refused(
        &self,
        path: &str,
        change: impl FnOnce(&mut HeaderMap),
    ) -> StatusCode {
        match self.websocket(path, change).await {
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => response.status(),
            other => panic!("{path}: not refused: {:?}", other.map(|_| ())),
        }
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Reply {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// What the echo server saw.
    pub(crate) fn seen(&self, header: &str) -> Option<String> {
        let headers = &self.json()["headers"];
        headers
            .get(header)
            .and_then(|value| value.as_str())
            .map(str::to_owned)
    }
}

/// The largest messages, so that no limit of the test's own gets in the way.
pub(crate) fn large() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(None)
        .max_frame_size(None)
}

/// Open file descriptors and resident bytes of this process.
pub(crate) fn usage() -> (usize, usize) {
    let files = std::fs::read_dir("/proc/self/fd").unwrap().count();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    (files, kib * 1024)
}

/// Waits until `condition` holds, by looking again and again.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waited = timeout(PATIENCE, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}

//! A plain HTTP client, one connection for each request, which sends exactly the headers that it is told to.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone)]
pub(crate) struct Client {
    port: u16,
    host: String,
    prefix: String,
    headers: HeaderMap,
}

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A stream of server-sent events.
pub(crate) struct Messages {
    body: Incoming,
    text: String,
}

/// One server-sent event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) event: String,
    pub(crate) id: String,
    pub(crate) data: String,
}

impl Client {
    pub(crate) fn new(port: u16) -> Self {
        Self {
            port,
            host: format!("localhost:{port}"),
            prefix: String::new(),
            headers: HeaderMap::new(),
        }
    }

    /// The same client, sending one more header.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers
            .append(HeaderName::from_static(name), value.parse().unwrap());
        self
    }

    /// The same client, naming another host.
    pub(crate) fn at(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// The same client, asking for everything below `prefix`.
    pub(crate) fn below(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// The same client without one of its headers.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        self.send(Method::PATCH, path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Reply {
        self.send(Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        let client = match body {
            Some(_) => self.clone().header("content-type", "application/json"),
            None => self.clone(),
        };
        let bytes = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        client.bytes(method, path, bytes).await
    }

    pub(crate) async fn bytes(&self, method: Method, path: &str, body: Vec<u8>) -> Reply {
        let whole = async {
            let response = self.request(method, path, body).await;
            let (parts, body) = response.into_parts();
            Reply {
                status: parts.status,
                headers: parts.headers,
                body: body.collect().await.unwrap().to_bytes(),
            }
        };
        tokio::time::timeout(PATIENCE, whole).await.unwrap()
    }

    /// Opens a stream of events.
    pub(crate) async fn follow(&self, path: &str) -> Messages {
        let response = self.request(Method::GET, path, Vec::new()).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Messages {
            body: response.into_body(),
            text: String::new(),
        }
    }

    async fn request(&self, method: Method, path: &str, body: Vec<u8>) -> http::Response<Incoming> {
        let socket = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket))
            .await
            .unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.prefix))
            .header("host", &self.host)
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        request.headers_mut().extend(self.headers.clone());
        sender.send_request(request).await.unwrap()
    }
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("not JSON: {} {:?}", self.status, self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body, if the status is the expected one.
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        if self.body.is_empty() {
            Value::Null
        } else {
            self.json()
        }
    }

    /// The code of the envelope, if the status is the expected one.
    pub(crate) fn refused(&self, status: u16) -> String {
        let body = self.expect(status);
        assert!(!body["message"].as_str().unwrap().is_empty());
        assert_eq!(
            body["request_id"],
            self.headers["x-request-id"].to_str().unwrap()
        );
        body["code"].as_str().unwrap().to_owned()
    }
}

impl Messages {
    /// The next event that is not a keep-alive comment; `None` where the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        tokio::time::timeout(PATIENCE, self.read()).await.unwrap()
    }

    async fn read(&mut self) -> Option<Message> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let message = parse(block);
                let end = self.text.len() - rest.len();
                self.text.drain(..end);
                if message != Message::default() {
                    return Some(message);
                }
                continue;
            }
            let frame = self.body.frame().await?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.text.push_str(std::str::from_utf8(&data).unwrap());
            }
        }
    }
}

fn parse(block: &str) -> Message {
    let mut message = Message::default();
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap();
        let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
        match field {
            "event" => message.event = value,
            "id" => message.id = value,
            "data" => message.data = value,
            _ => {}
        }
    }
    message
}

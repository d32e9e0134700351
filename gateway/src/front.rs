//! The first decision about every request: the app's, a workspace's, or nobody's.

use std::sync::Arc;

use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use tower::ServiceExt as _;

use crate::{
    config::{Config, Role},
    listen::Arrival,
    origins::{Origin, Origins},
    path::{self, Target},
    proxy::{Body, Proxy, Workspaces},
    stack::new_request_id,
};

/// Sends each request to the app's router or to the proxy.
pub struct Front<W> {
    origins: Origins,
    app: axum::Router,
    proxy: Arc<Proxy<W>>,
}

impl<W: Workspaces> Front<W> {
    /// The front of `app` and `proxy`.
    pub fn new(config: &Config, app: axum::Router, proxy: Arc<Proxy<W>>) -> Self {
        Self {
            origins: Origins::new(config),
            app,
            proxy,
        }
    }

    /// Answers one request. The app's handlers find the [`Peer`](crate::proxy::Peer) in the request's extensions.
    pub async fn handle(&self, request: Request<Incoming>, arrival: Arrival) -> Response<Body> {
        let Ok(origin) = self
            .origins
            .of(arrival.role, request.uri(), request.headers())
        else {
            return plain(
                StatusCode::BAD_REQUEST,
                "invalid",
                "The request must name exactly one host.",
            );
        };
        let origin = match origin {
            Origin::Unknown if arrival.role == Role::App => match self.unknown(&request) {
                Ok(origin) => origin,
                Err(response) => return *response,
            },
            Origin::Unknown => return misdirected(),
            known => known,
        };
        let path = request.uri().path();
        if origin == Origin::App
            && !path.starts_with("/w/")
            && path::read(path) == Ok(Target::Other)
        {
            return Box::pin(self.app(request, arrival)).await;
        }
        self.proxy.handle(request, origin, arrival.peer).await
    }

    async fn app(&self, mut request: Request<Incoming>, arrival: Arrival) -> Response<Body> {
        request.extensions_mut().insert(arrival.peer);
        let Ok(response) = self
            .app
            .clone()
            .oneshot(request.map(axum::body::Body::new))
            .await;
        response.map(Body::from)
    }

    /// A host that is none of ours, on the app's listener. Probes know only an address, and a program that shows a token is not a
    /// browser that was led here; every other visitor is sent to the right address.
    fn unknown(&self, request: &Request<Incoming>) -> Result<Origin, Box<Response<Body>>> {
        if request.uri().path().starts_with("/health/")
            || request.headers().contains_key(header::AUTHORIZATION)
        {
            return Ok(Origin::App);
        }
        let visit = request
            .headers()
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok());
        if request.method() != http::Method::GET
            || !visit.is_some_and(|accept| accept.contains("text/html"))
        {
            return Err(Box::new(misdirected()));
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
        let to = HeaderValue::from_str(&format!("{}/", self.origins.app()))
            .map_err(|_| Box::new(misdirected()))?;
        response.headers_mut().insert(header::LOCATION, to);
        Err(Box::new(response))
    }
}

fn misdirected() -> Response<Body> {
    plain(
        StatusCode::MISDIRECTED_REQUEST,
        "unknown_host",
        "This service has another address.",
    )
}

fn plain(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    let id = new_request_id();
    let body = serde_json::json!({"code": code, "message": message, "request_id": &*id.0});
    tracing::debug!(request.id = %id.0, code, "refused before it reached the app or a workspace");
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    if let Ok(id) = HeaderValue::try_from(&*id.0) {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

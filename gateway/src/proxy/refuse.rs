//! What becomes of a request that goes no further: a page, JSON, or a redirect to where it belongs.

use http::{Method, Request, Response};
use hyper::body::Incoming;

use super::{
    Proxy, Visit,
    access::Line,
    answers::{self, Refusal},
    body::Body,
    credentials, door,
    workspaces::Workspaces,
};
use crate::{origins::Origin, path};

impl<W: Workspaces> Proxy<W> {
    /// A path of a workspace's origin that is not below `/w/`.
    pub(super) fn outside(
        &self,
        parts: &http::request::Parts,
        origin: Origin,
    ) -> Result<Response<Body>, Refusal> {
        match origin {
            Origin::Workspace(id) if parts.uri.path() == "/" && parts.method == Method::GET => {
                Ok(answers::redirect(&format!("/w/{id}/")))
            }
            Origin::Workspaces if parts.uri.path() == "/" && parts.method == Method::GET => {
                Ok(answers::redirect(self.origins.app()))
            }
            _ => Err(Refusal::Missing),
        }
    }

    pub(super) fn to_workspace_origin(&self, visit: &Visit) -> Result<Response<Body>, Refusal> {
        let origin = self
            .origins
            .of_workspace(&visit.path.workspace)
            .ok_or(Refusal::Missing)?;
        let query = visit.parts.uri.query().and_then(credentials::without_token);
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        Ok(answers::redirect(&format!(
            "{origin}{}{query}",
            visit.parts.uri.path()
        )))
    }

    pub(super) fn refuse(
        &self,
        refusal: Refusal,
        asks: &Asks,
        origin: Origin,
        line: &Line,
    ) -> Response<Body> {
        let id = line.request.to_string();
        let Some(workspace) = line.workspace.filter(|_| asks.page) else {
            return answers::json(refusal, &id);
        };
        let app = door::open_address(self.origins.app(), &workspace, &asks.address);
        match refusal {
            Refusal::Stranger if origin != Origin::App => answers::redirect(&app),
            _ => answers::page(refusal, &app, &id),
        }
    }
}

/// What the client wants to read if the answer is ours.
pub(super) struct Asks {
    page: bool,
    /// Path and query without a token, for coming back later.
    address: String,
}

impl Asks {
    pub(super) fn of(request: &Request<Incoming>) -> Self {
        let uri = request.uri();
        // `/w/{id}/` is cut off by hand: the path may be one that cannot be read.
        let rest = uri.path().splitn(4, '/').nth(3).unwrap_or_default();
        let api = is_api(rest) || request.headers().contains_key(http::header::UPGRADE);
        let page = answers::is_page_visit(request.method(), request.headers(), api);
        if !page {
            return Self {
                page,
                address: String::new(),
            };
        }
        let query = uri.query().and_then(credentials::without_token);
        Self {
            page,
            address: format!(
                "{}{}",
                uri.path(),
                query.map(|query| format!("?{query}")).unwrap_or_default()
            ),
        }
    }
}

/// Whether a browser would show the answer as a page.
pub(super) fn is_page(visit: &Visit) -> bool {
    let headers = &visit.parts.headers;
    let navigates = headers
        .get("sec-fetch-mode")
        .is_some_and(|mode| mode == "navigate");
    navigates
        || (!visit.upgrade
            && answers::is_page_visit(
                &visit.parts.method,
                headers,
                is_api(visit.path.rest.as_deref().unwrap_or_default()),
            ))
}

/// Whether a program asks, by the path below `/w/{id}/` alone.
fn is_api(rest: &str) -> bool {
    ["api", "lab/api", "scheduler", ".cairn/api"]
        .iter()
        .any(|prefix| {
            let below = rest.strip_prefix(prefix);
            below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
        })
}

pub(super) fn explain(error: path::Error) -> &'static str {
    match error {
        path::Error::Malformed => "The path is malformed.",
        path::Error::Encoding => "The path's percent-encoding is malformed.",
        path::Error::Control => "The path contains a control character.",
        path::Error::Ambiguous => "The path is ambiguous.",
        path::Error::NoWorkspace => "There is no such workspace.",
    }
}

//! `/w/{id}/.cairn/`: how a browser gets and loses its session on a workspace's origin. The app's own cookie is never shared: a code
//! that works once is exchanged for a cookie that opens this workspace only.

use http::{HeaderValue, Method, Response, StatusCode, header};
use storage::ids::WorkspaceId;

use super::{
    answers::{self, Refusal},
    body::Body,
    credentials::Shown,
    workspaces::{Entry, Workspaces},
};
use crate::path;

/// A code longer than this, in bytes, is none of ours.
const LONGEST_CODE: usize = 256;

/// The workspace that a door belongs to, and how its cookie is set.
pub(super) struct Door<'a> {
    pub(super) workspace: WorkspaceId,
    pub(super) base: &'a str,
    pub(super) cookie: &'a str,
    pub(super) secure: bool,
    /// The app's origin.
    pub(super) app: &'a str,
}

impl Door<'_> {
    /// Answers a request for `rest`, which lies below `.cairn`. Nothing there is ever sent on.
    pub(super) async fn answer<W: Workspaces>(
        &self,
        workspaces: &W,
        rest: &str,
        request: &http::request::Parts,
        shown: &Shown,
    ) -> Result<Response<Body>, Refusal> {
        match (rest, &request.method) {
            (".cairn/enter", &Method::GET) => {
                self.enter(workspaces, request.uri.query().unwrap_or_default())
                    .await
            }
            (".cairn/leave", &Method::POST) => self.leave(workspaces, shown).await,
            _ => Err(Refusal::Missing),
        }
    }

    async fn enter<W: Workspaces>(
        &self,
        workspaces: &W,
        query: &str,
    ) -> Result<Response<Body>, Refusal> {
        let value = |key: &str| {
            url::form_urlencoded::parse(query.as_bytes())
                .find(|(name, _)| name == key)
                .map(|(_, value)| value)
        };
        let next = value("next").and_then(|next| self.sound(&next).then(|| next.into_owned()));
        let code = value("code").filter(|code| !code.is_empty() && code.len() <= LONGEST_CODE);
        let entry = match code {
            Some(code) => workspaces
                .enter(&self.workspace, &code)
                .await
                .map_err(|_| Refusal::Unanswered)?,
            None => None,
        };
        let next = next.unwrap_or_else(|| format!("{}lab", self.base));
        let Some(entry) = entry else {
            // Too late, or a second click: the app makes a new code if the person may still enter.
            return Ok(answers::redirect(&open_address(
                self.app,
                &self.workspace,
                &next,
            )));
        };
        let mut response = answers::redirect(&next);
        let cookie = self.set_cookie(&entry).ok_or(Refusal::Unanswered)?;
        response.headers_mut().insert(header::SET_COOKIE, cookie);
        Ok(response)
    }

    async fn leave<W: Workspaces>(
        &self,
        workspaces: &W,
        shown: &Shown,
    ) -> Result<Response<Body>, Refusal> {
        for cookie in shown.cookies() {
            workspaces
                .leave(&self.workspace, cookie)
                .await
                .map_err(|_| Refusal::Unanswered)?;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let gone = format!(
            "{}=; Path={}; Max-Age=0; HttpOnly; SameSite=Lax{}",
            self.cookie,
            self.base,
            self.secure()
        );
        if let Ok(gone) = HeaderValue::from_str(&gone) {
            response.headers_mut().insert(header::SET_COOKIE, gone);
        }
        Ok(response)
    }

    fn set_cookie(&self, entry: &Entry) -> Option<HeaderValue> {
        let age = entry.lifetime.as_secs();
        let text = format!(
            "{}={}; Path={}; Max-Age={age}; HttpOnly; SameSite=Lax{}",
            self.cookie,
            entry.cookie,
            self.base,
            self.secure()
        );
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    fn secure(&self) -> &'static str {
        if self.secure { "; Secure" } else { "" }
    }

    /// Whether `next` is an address within this workspace and nothing else, to any browser.
    fn sound(&self, next: &str) -> bool {
        let end = next.find(['?', '#']).unwrap_or(next.len());
        let is_plain = |byte: u8| {
            byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'<' | b'>' | b'`')
        };
        next.len() <= 2048
            && next.starts_with(self.base)
            && next.bytes().all(is_plain)
            && !next[..end].contains("//")
            && matches!(path::read(&next[..end]), Ok(path::Target::Workspace(found)) if found.workspace == self.workspace)
    }
}

/// Where the app signs a person out. Jupyter's own `/logout` ends nothing here, so nobody is ever sent there.
pub(super) fn sign_out_address(app: &str) -> String {
    format!("{app}/hub/logout")
}

/// Where the app lets a person into a workspace, and then on to `next`.
pub(super) fn open_address(app: &str, workspace: &WorkspaceId, next: &str) -> String {
    let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
    format!("{app}/open/{workspace}?next={next}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01939d4e-8a3b-7c11-9d2e-0123456789ab";

    /// Case 17: the open redirect corpus.
    #[test]
    fn next_never_leads_out_of_the_workspace() {
        let base = format!("/w/{ID}/");
        let door = Door {
            workspace: ID.parse().unwrap(),
            base: &base,
            cookie: "c",
            secure: false,
            app: "http://localhost",
        };
        for next in [
            "//e",
            "/\\e",
            "///e",
            "https:e",
            "https:///e",
            "http://localhost//e",
            "javascript:alert(1)",
            "\t//e",
            "/\t/e",
            "",
            "/",
            "/w/",
            "data:,x",
        ] {
            assert!(!door.sound(next), "{next:?}");
            assert!(!door.sound(&format!("{base}../{next}")), "{next:?}");
        }
        for tail in [
            "%0d%0aLocation:x",
            "\r\nx",
            "/e",
            "..//e",
            "%2e%2e/",
            "%2f%2fe/..",
            "a b",
            "é",
            "<",
            "%",
        ] {
            assert!(!door.sound(&format!("{base}{tail}")), "{tail:?}");
        }
        assert!(!door.sound(&format!("/w/{ID}")) && !door.sound(&format!("/w/{ID}0/lab")));
        for tail in ["", "lab", "lab/tree/a%20b.ipynb?x=//y&z=1#t", "lab?reset"] {
            assert!(door.sound(&format!("{base}{tail}")), "{tail:?}");
        }
    }
}

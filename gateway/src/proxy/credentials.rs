//! What a request shows to be let in, taken out of it: nothing of it may travel on to a workspace or into a log.

use http::{HeaderMap, header};

use super::{cookies, workspaces::Credential};

/// The credentials of one request.
#[derive(Debug, Default)]
pub(super) struct Shown {
    token: Option<String>,
    cookies: Vec<String>,
    /// Whether the token came in the address, which then must not leak in a `Referer`.
    pub(super) in_query: bool,
}

impl Shown {
    /// Reads the credentials of a request. A token goes before cookies: a client that shows one means to be judged by it.
    pub(super) fn read(headers: &HeaderMap, query: Option<&str>, cookie: &str) -> Self {
        let header = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| bearer(value.to_str().ok()?));
        let in_query = query.and_then(token_of);
        Self {
            in_query: in_query.is_some(),
            token: header.map(str::to_owned).or(in_query),
            cookies: cookies::values(headers.get_all(header::COOKIE).iter(), cookie)
                .map(str::to_owned)
                .collect(),
        }
    }

    /// What to try, in order. Cookies are looked at only where no token is shown.
    pub(super) fn candidates(&self, cookies_count: bool) -> impl Iterator<Item = Credential<'_>> {
        let cookies: &[String] = if cookies_count && self.token.is_none() {
            &self.cookies
        } else {
            &[]
        };
        let token = self.token.as_deref().map(Credential::Token);
        token
            .into_iter()
            .chain(cookies.iter().map(|value| Credential::Cookie(value)))
    }

    /// The cookies' values.
    pub(super) fn cookies(&self) -> &[String] {
        &self.cookies
    }
}

/// The token of `Bearer X` or `token X`, the scheme in any case.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    let ours = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token");
    (ours && !token.is_empty()).then_some(token)
}

/// Whether a pair of a query is called `token`, however its name is spelt.
fn is_token(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default();
    name == "token"
        || (name.contains('%') && percent_encoding::percent_decode_str(name).eq(*b"token"))
}

fn token_of(query: &str) -> Option<String> {
    let pair = query.split('&').find(|pair| is_token(pair))?;
    let value = pair.split_once('=')?.1;
    let value = percent_encoding::percent_decode_str(value)
        .decode_utf8()
        .ok()?;
    (!value.is_empty()).then(|| value.into_owned())
}

/// The query without every `token` in it; `None` where nothing is left.
pub(super) fn without_token(query: &str) -> Option<String> {
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_token(pair)).collect();
    (!kept.is_empty()).then(|| kept.join("&"))
}

/// Whether a query has a `token`.
pub(super) fn has_token(query: &str) -> bool {
    query.split('&').any(is_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_goes_before_the_query_and_both_before_cookies() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "c=1".parse().unwrap());
        let shown = Shown::read(&headers, Some("x=1"), "c");
        assert_eq!(
            shown.candidates(true).collect::<Vec<_>>(),
            [Credential::Cookie("1")]
        );
        assert_eq!(shown.candidates(false).count(), 0);
        let shown = Shown::read(&headers, Some("x=1&token=a%2Bb"), "c");
        assert_eq!(
            shown.candidates(true).collect::<Vec<_>>(),
            [Credential::Token("a+b")]
        );
        headers.insert(header::AUTHORIZATION, "ToKeN  abc ".parse().unwrap());
        let shown = Shown::read(&headers, Some("token=q"), "c");
        assert_eq!(
            shown.candidates(true).collect::<Vec<_>>(),
            [Credential::Token("abc")]
        );
        headers.insert(header::AUTHORIZATION, "Basic abc".parse().unwrap());
        let shown = Shown::read(&headers, None, "c");
        assert_eq!(
            shown.candidates(true).collect::<Vec<_>>(),
            [Credential::Cookie("1")]
        );
    }

    #[test]
    fn every_token_is_taken_out_of_a_query() {
        assert_eq!(without_token("token=a"), None);
        assert_eq!(
            without_token("a=1&token=b&%74oken=c&c&tokens=d").as_deref(),
            Some("a=1&c&tokens=d")
        );
        assert_eq!(
            without_token("1732170000000").as_deref(),
            Some("1732170000000")
        );
    }
}

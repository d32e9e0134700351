//! The body of every answer: a few bytes of ours, the app's, or what a workspace's server streams. It buffers nothing.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Frame, SizeHint};

use super::exchange::Streaming;

/// The error of a body; hyper ends the connection on it, so that the client sees a cut and not an end.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A body of an answer.
pub enum Body {
    /// Bytes at hand.
    Full(Full<Bytes>),
    /// What the app's router made.
    App(axum::body::Body),
    /// What a workspace's server sends.
    Upstream(Box<Streaming>),
}

impl Body {
    /// A body without bytes.
    pub fn empty() -> Self {
        Self::Full(Full::default())
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::Full(Full::from(text))
    }
}

impl From<axum::body::Body> for Body {
    fn from(body: axum::body::Body) -> Self {
        Self::App(body)
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.get_mut() {
            Self::Full(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Self::App(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Self::Upstream(body) => Pin::new(body.as_mut()).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(body) => body.is_end_stream(),
            Self::App(body) => body.is_end_stream(),
            Self::Upstream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(body) => body.size_hint(),
            Self::App(body) => body.size_hint(),
            Self::Upstream(body) => body.size_hint(),
        }
    }
}

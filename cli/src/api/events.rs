//! Reads server-sent events from an answer. It knows no kind of event.
//!
//! Source: WHATWG HTML, "Server-sent events", section "Interpreting an event stream".

use futures_util::{Stream, StreamExt as _};
use reqwest::Response;
use url::Url;

use super::Error;

/// The longest event that is read: a page of a log is far below it.
const MAX_EVENT_BYTES: usize = 16 * 1024 * 1024;

/// One event.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// The last id that the stream gave.
    pub(crate) id: Option<String>,
    /// Its kind; `message` when the stream names none.
    pub(crate) kind: String,
    /// Its data.
    pub(crate) data: String,
}

/// The events of an answer, until it ends.
///
/// # Errors
/// Yields one error and ends when the connection is lost or an event is larger than any that Cairn sends.
pub(crate) fn read(
    url: &Url,
    response: Response,
) -> impl Stream<Item = Result<Event, Error>> + Send + use<> {
    let url = url.clone();
    let state = (response.bytes_stream(), Parser::default(), false);
    futures_util::stream::unfold(state, move |(mut bytes, mut parser, mut ended)| {
        let url = url.clone();
        async move {
            loop {
                if let Some(event) = parser.next() {
                    return Some((Ok(event), (bytes, parser, ended)));
                }
                if ended {
                    return None;
                }
                match bytes.next().await {
                    Some(Ok(chunk)) if parser.buffer.len() + chunk.len() <= MAX_EVENT_BYTES => {
                        parser.buffer.extend_from_slice(&chunk);
                    }
                    Some(Ok(_)) => {
                        ended = true;
                        parser.buffer.clear();
                        return Some((
                            Err(Error::NotCairn {
                                url: crate::home::key(&url),
                            }),
                            (bytes, parser, ended),
                        ));
                    }
                    Some(Err(error)) => {
                        ended = true;
                        parser.buffer.clear();
                        return Some((
                            Err(Error::unreachable(&url, error)),
                            (bytes, parser, ended),
                        ));
                    }
                    None => return None,
                }
            }
        }
    })
}

/// Cuts bytes into events. What is incomplete stays in `buffer`.
#[derive(Default)]
struct Parser {
    buffer: Vec<u8>,
    /// Up to here there is no end of a line.
    searched: usize,
    event: Event,
    has_data: bool,
}

impl Parser {
    fn next(&mut self) -> Option<Event> {
        loop {
            let line = self.line()?;
            if line.is_empty() {
                let id = self.event.id.clone();
                let event = std::mem::replace(
                    &mut self.event,
                    Event {
                        id,
                        ..Event::default()
                    },
                );
                if std::mem::take(&mut self.has_data) {
                    let kind = if event.kind.is_empty() {
                        "message".to_owned()
                    } else {
                        event.kind
                    };
                    return Some(Event { kind, ..event });
                }
            } else {
                self.field(&line);
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        let Some(found) = self.buffer[self.searched..]
            .iter()
            .position(|byte| *byte == b'\n')
        else {
            self.searched = self.buffer.len();
            return None;
        };
        let end = self.searched + found;
        let line = String::from_utf8_lossy(&self.buffer[..end])
            .trim_end_matches('\r')
            .to_owned();
        self.buffer.drain(..=end);
        self.searched = 0;
        Some(line)
    }

    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.has_data = true;
                self.event.data.push_str(value);
            }
            "event" => value.clone_into(&mut self.event.kind),
            "id" if !value.contains('\0') => self.event.id = Some(value.to_owned()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(chunks: &[&str]) -> Vec<(Option<String>, String, String)> {
        let mut parser = Parser::default();
        let mut events = Vec::new();
        for chunk in chunks {
            parser.buffer.extend_from_slice(chunk.as_bytes());
            while let Some(event) = parser.next() {
                events.push((event.id, event.kind, event.data));
            }
        }
        events
    }

    fn event(id: Option<&str>, kind: &str, data: &str) -> (Option<String>, String, String) {
        (id.map(str::to_owned), kind.to_owned(), data.to_owned())
    }

    #[test]
    fn events_are_read_whole_however_they_arrive() {
        let text = ": hello\n\nid: 7\nevent: log\ndata: {\"a\":1}\ndata:b\n\ndata\n\r\nid: 8\r\ndata: c\r\n\r\n";
        let expected = [
            event(Some("7"), "log", "{\"a\":1}\nb"),
            event(Some("7"), "message", ""),
            event(Some("8"), "message", "c"),
        ];
        assert_eq!(parse(&[text]), expected);
        let bytes: Vec<String> = text.chars().map(String::from).collect();
        assert_eq!(
            parse(&bytes.iter().map(String::as_str).collect::<Vec<_>>()),
            expected
        );
    }

    #[test]
    fn an_event_that_was_cut_off_is_not_given() {
        assert_eq!(parse(&["id: 1\ndata: half"]), []);
        assert_eq!(parse(&["id: 1\ndata: half\n"]), []);
    }
}

//! The log as text for people. The access log, a line for each request, is the one that costs: its lines are put together here, and look
//! like the others.

use std::cell::RefCell;
use std::fmt::{self, Debug, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::time::{self, FormatTime as _};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// What marks the lines of the access log.
pub(crate) const ACCESS: &str = "cairn::access";
/// More than most lines of the access log.
const LINE_BYTES: usize = 384;
/// `2026-11-21T08:00:00`: a time up to its seconds.
const SECOND_BYTES: usize = 19;

thread_local! {
    /// A second since 1970 and its text.
    static SECOND: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
}

/// Writes an event as a line of text, the way `tracing_subscriber` does by itself.
#[derive(Debug, Default)]
pub struct Text {
    usual: Format<Full, time::SystemTime>,
}

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let is_plain = event.metadata().target() == ACCESS
            && *event.metadata().level() == Level::INFO
            && !writer.has_ansi_escapes()
            && context.lookup_current().is_none();
        if !is_plain {
            return self.usual.format_event(context, writer, event);
        }
        let mut line = Line(String::with_capacity(LINE_BYTES));
        stamp(&mut line.0)?;
        line.0.push_str("  INFO ");
        line.0.push_str(ACCESS);
        line.0.push(':');
        event.record(&mut line);
        line.0.push('\n');
        writer.write_str(&line.0)
    }
}

/// The calendar is asked once a second only.
fn stamp(line: &mut String) -> fmt::Result {
    let now = since_1970();
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != now.as_secs() || text.is_empty() {
            let mut whole = String::new();
            time::SystemTime.format_time(&mut Writer::new(&mut whole))?;
            if since_1970().as_secs() != now.as_secs() || whole.len() < SECOND_BYTES {
                // The second ended in between.
                line.push_str(&whole);
                return Ok(());
            }
            whole.truncate(SECOND_BYTES);
            (*second, *text) = (now.as_secs(), whole);
        }
        line.push_str(text);
        write!(line, ".{:06}Z", now.subsec_micros())
    })
}

fn since_1970() -> std::time::Duration {
    #[expect(
        clippy::disallowed_methods,
        reason = "a line tells when it was written, whatever time a test has set"
    )]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A line being written, to which an event adds its fields.
struct Line(String);

impl Line {
    fn add(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        self.0.push(' ');
        if field.name() != "message" {
            self.0.push_str(field.name());
            self.0.push('=');
        }
        // Writing to a string cannot fail.
        let _ = self.0.write_fmt(value);
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        // Most texts are quoted as they are; the formatter looks at every character of every one.
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        if field.name() == "message" || !value.bytes().all(is_plain) {
            return self.record_debug(field, &value);
        }
        for piece in [" ", field.name(), "=\"", value, "\""] {
            self.0.push_str(piece);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use tracing_subscriber::fmt::MakeWriter;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Sink {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    fn say() {
        tracing::info!(
            target: ACCESS,
            client = %"127.0.0.1",
            method = "GET",
            path = %"/w/x",
            status = 200_u16,
            duration_us = 17_u64,
            workspace.id = Some(tracing::field::display("id")),
            user.name = Some("al\"ice\n"),
            plain = "it's é and\u{7f}",
            nobody = None::<&str>,
            "request"
        );
        tracing::warn!(target: ACCESS, "a warning");
        tracing::info!("another");
    }

    /// Lines without their times, and what the times look like.
    fn lines(sink: &Sink) -> Vec<(String, String)> {
        let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        let line = |line: &str| {
            let (time, rest) = line.split_at(SECOND_BYTES + 8);
            let shape = |digit: char| if digit.is_ascii_digit() { '0' } else { digit };
            (time.chars().map(shape).collect(), rest.to_owned())
        };
        text.lines().map(line).collect()
    }

    #[test]
    fn lines_are_the_same_as_without_it() {
        let (ours, usual) = (Sink::default(), Sink::default());
        let log = || tracing_subscriber::fmt().with_ansi(false);
        let subscriber = log()
            .with_writer(ours.clone())
            .event_format(Text::default());
        tracing::subscriber::with_default(subscriber.finish(), say);
        tracing::subscriber::with_default(log().with_writer(usual.clone()).finish(), say);
        assert_eq!(lines(&ours), lines(&usual));
        assert_eq!(lines(&ours).len(), 3);
        assert!(
            lines(&ours)[0]
                .1
                .starts_with("  INFO cairn::access: request client=127.0.0.1")
        );
    }

    #[test]
    fn times_are_those_of_the_clock() {
        let mut line = String::new();
        stamp(&mut line).unwrap();
        let mut usual = String::new();
        time::SystemTime
            .format_time(&mut Writer::new(&mut usual))
            .unwrap();
        stamp(&mut line).unwrap();
        let (before, after) = line.split_at(SECOND_BYTES + 8);
        assert!(
            before <= usual.as_str() && usual.as_str() <= after,
            "{line} {usual}"
        );
    }
}

//! The pump: moves the work's output and the supervisor's notes into the log file, on a thread of its own.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::clock;

/// How long a line may pause before its beginning is shown.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest record; a longer line becomes parts.
const RECORD_BYTES: usize = 64 << 10;
/// How often a full disk is tried again.
const RETRY: Duration = Duration::from_millis(250);

/// What the supervisor keeps of a running pump, which ends after [`close`](Self::close), once the work's output has.
pub(super) struct Pump {
    messages: mpsc::Sender<Message>,
    wake: OwnedFd,
    abandoned: Arc<AtomicBool>,
}

enum Message {
    Note(String),
    Close,
}

/// The log file and how much may still go into it.
pub(super) struct Log {
    pub(super) file: File,
    pub(super) limit_bytes: Option<u64>,
    /// Told the file's length after every write.
    pub(super) grown: Box<dyn Fn(u64) + Send>,
}

impl Pump {
    /// Starts pumping. `done` is told the number of bytes that were left out when all has been written.
    pub(super) fn start(
        log: Log,
        out: OwnedFd,
        err: OwnedFd,
        done: impl FnOnce(u64) + Send + 'static,
    ) -> io::Result<Self> {
        let (messages, inbox) = mpsc::channel();
        let (woken, wake) = io::pipe()?;
        rustix::io::ioctl_fionbio(&wake, true)?;
        let abandoned = Arc::new(AtomicBool::new(false));
        let bytes = log.file.metadata()?.len();
        let writer = Writer {
            log,
            bytes,
            left_out: 0,
            full: false,
            abandoned: Arc::clone(&abandoned),
        };
        let sources = [Source::new(out, b'o'), Source::new(err, b'e')];
        let worker = Worker {
            writer,
            sources,
            woken: woken.into(),
            inbox,
            closed: false,
        };
        std::thread::Builder::new()
            .name("pump".into())
            .spawn(move || done(worker.run()))?;
        Ok(Self {
            messages,
            wake: wake.into(),
            abandoned,
        })
    }

    /// Writes a line of the supervisor's own into the log.
    pub(super) fn note(&self, text: impl Into<String>) {
        self.send(Message::Note(text.into()));
    }

    /// Says that nothing but the work's last output is to come.
    pub(super) fn close(&self) {
        self.send(Message::Close);
    }

    fn send(&self, message: Message) {
        // A pump that has ended needs nothing, and a full pipe wakes it as well.
        drop(self.messages.send(message));
        let _ = rustix::io::write(&self.wake, b".");
    }

    /// Gives up: no more waiting for output that never ends or for space on the disk.
    pub(super) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
        let _ = rustix::io::write(&self.wake, b".");
    }
}

struct Worker {
    writer: Writer,
    sources: [Source; 2],
    woken: OwnedFd,
    inbox: mpsc::Receiver<Message>,
    closed: bool,
}

impl Worker {
    fn run(mut self) -> u64 {
        let mut buffer = vec![0; RECORD_BYTES];
        while !self.finished() {
            let ready = self.wait();
            if ready[2] {
                self.take_messages();
            }
            for (source, ready) in self.sources.iter_mut().zip(ready) {
                if ready {
                    source.read(&mut buffer, &mut self.writer);
                }
                source.flush_pause(&mut self.writer);
            }
        }
        self.writer.finish();
        self.writer.left_out
    }

    fn finished(&self) -> bool {
        let abandoned = self.writer.abandoned.load(Ordering::Relaxed);
        self.closed && (abandoned || self.sources.iter().all(|s| s.fd.is_none()))
    }

    /// Waits for output, a note, or the end of a pause; tells which of the three may be read.
    fn wait(&self) -> [bool; 3] {
        let fds = [
            self.sources[0].fd.as_ref(),
            self.sources[1].fd.as_ref(),
            Some(&self.woken),
        ];
        let mut polled: Vec<_> = fds
            .iter()
            .flatten()
            .map(|fd| PollFd::new(*fd, PollFlags::IN))
            .collect();
        let timeout = self.sources.iter().filter_map(Source::remaining).min();
        let timeout = timeout.and_then(|t| Timespec::try_from(t).ok());
        if poll(&mut polled, timeout.as_ref()).is_err() {
            return [false; 3];
        }
        let mut results = polled.iter().map(|p| !p.revents().is_empty());
        fds.map(|fd| fd.is_some() && results.next().unwrap_or(false))
    }

    fn take_messages(&mut self) {
        let mut bytes = [0; 64];
        let _ = rustix::io::read(&self.woken, &mut bytes);
        for message in self.inbox.try_iter() {
            match message {
                Message::Note(text) => self.writer.write_note(&text),
                Message::Close => self.closed = true,
            }
        }
    }
}

/// One stream of the work.
struct Source {
    fd: Option<OwnedFd>,
    tag: u8,
    /// The beginning of a line.
    line: Vec<u8>,
    since: Instant,
}

impl Source {
    fn new(fd: OwnedFd, tag: u8) -> Self {
        Self {
            fd: Some(fd),
            tag,
            line: Vec::new(),
            since: Instant::now(),
        }
    }

    fn remaining(&self) -> Option<Duration> {
        (!self.line.is_empty()).then(|| PAUSE.saturating_sub(self.since.elapsed()))
    }

    fn read(&mut self, buffer: &mut [u8], writer: &mut Writer) {
        let Some(fd) = &self.fd else { return };
        match rustix::io::read(fd.as_fd(), &mut *buffer) {
            Ok(0) => {
                self.fd = None;
                self.flush(writer);
            }
            Ok(count) => self.take(&buffer[..count], writer),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => self.fd = None,
        }
    }

    fn take(&mut self, bytes: &[u8], writer: &mut Writer) {
        let mut records = Records::new();
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            if self.line.is_empty() {
                self.since = Instant::now();
            }
            if let Some(rest) = piece.strip_suffix(b"\n") {
                self.line.extend(rest);
                records.add(self.tag, &self.line);
                self.line.clear();
                continue;
            }
            self.line.extend(piece);
            if self.line.len() >= RECORD_BYTES {
                records.add(self.tag.to_ascii_uppercase(), &self.line);
                self.line.clear();
            }
        }
        writer.write(&records.0);
    }

    fn flush_pause(&mut self, writer: &mut Writer) {
        if self.remaining().is_some_and(|r| r.is_zero()) {
            self.flush(writer);
        }
    }

    fn flush(&mut self, writer: &mut Writer) {
        if !self.line.is_empty() {
            let mut records = Records::new();
            records.add(self.tag.to_ascii_uppercase(), &self.line);
            self.line.clear();
            writer.write(&records.0);
        }
    }
}

/// Records that were read together and are written together.
struct Records(Vec<u8>, String);

impl Records {
    fn new() -> Self {
        Self(Vec::new(), clock::now_ms().to_string())
    }

    fn add(&mut self, tag: u8, text: &[u8]) {
        self.0.extend(self.1.as_bytes());
        self.0.extend([b' ', tag, b' ']);
        self.0.extend(text);
        self.0.push(b'\n');
    }
}

struct Writer {
    log: Log,
    bytes: u64,
    left_out: u64,
    /// Whether the limit was reached.
    full: bool,
    abandoned: Arc<AtomicBool>,
}

impl Writer {
    /// Writes whole records up to the limit, and says so once when it is reached.
    fn write(&mut self, records: &[u8]) {
        if records.is_empty() {
            return;
        }
        let room = self
            .log
            .limit_bytes
            .map_or(u64::MAX, |l| l.saturating_sub(self.bytes));
        if !self.full && records.len() as u64 <= room {
            self.write_all(records);
            return;
        }
        if self.full {
            self.left_out += records.len() as u64;
            return;
        }
        self.full = true;
        let room = usize::try_from(room)
            .unwrap_or(usize::MAX)
            .min(records.len());
        let fits = records[..room]
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |n| n + 1);
        self.write_all(&records[..fits]);
        self.left_out += (records.len() - fits) as u64;
        self.write_note(
            "The log has reached its limit: what follows is left out. The work goes on.",
        );
    }

    /// The supervisor's notes are few and short: the limit does not hold for them.
    fn write_note(&mut self, note: &str) {
        let mut records = Records::new();
        for line in note.lines() {
            records.add(b's', line.as_bytes());
        }
        self.write_all(&records.0);
    }

    fn finish(&mut self) {
        if self.left_out > 0 {
            self.write_note(&format!(
                "{} bytes of the log were left out.",
                self.left_out
            ));
        }
        drop(self.log.file.sync_all());
    }

    /// Waits while the disk is full: the work waits with it, and nothing is lost.
    fn write_all(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.log.file.write(bytes) {
                Ok(count) => {
                    bytes = &bytes[count..];
                    self.bytes += count as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) if self.abandoned.load(Ordering::Relaxed) => {
                    self.left_out += bytes.len() as u64;
                    break;
                }
                Err(_) => std::thread::sleep(RETRY),
            }
        }
        (self.log.grown)(self.bytes);
    }
}

#[cfg(test)]
mod tests;

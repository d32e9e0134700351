//! The pump over real pipes and a real file.

use std::fs;
use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::log::{Stream, records};

struct Rig {
    pump: Pump,
    out: Option<OwnedFd>,
    err: Option<OwnedFd>,
    done: Receiver<u64>,
    grown: Receiver<u64>,
    folder: tempfile::TempDir,
}

impl Rig {
    fn new(limit_bytes: Option<u64>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.path().join("log"))
            .unwrap();
        let (out, out_end) = rustix::pipe::pipe().unwrap();
        let (err, err_end) = rustix::pipe::pipe().unwrap();
        let (tell, grown) = channel();
        let (ends, done) = channel();
        let log = Log {
            file,
            limit_bytes,
            grown: Box::new(move |n| {
                let _ = tell.send(n);
            }),
        };
        let pump = Pump::start(log, out, err, move |n| {
            let _ = ends.send(n);
        })
        .unwrap();
        Self {
            pump,
            out: Some(out_end),
            err: Some(err_end),
            done,
            grown,
            folder,
        }
    }

    fn say(&self, bytes: &[u8]) {
        rustix::io::write(self.out.as_ref().unwrap(), bytes).unwrap();
    }

    fn log(&self) -> Vec<u8> {
        fs::read(self.folder.path().join("log")).unwrap()
    }

    fn end(&mut self) -> (Vec<(Stream, bool, String)>, u64) {
        self.out = None;
        self.err = None;
        self.pump.close();
        let left_out = self.done.recv().unwrap();
        let log = self.log();
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        (
            records(&log, 0)
                .map(|r| (r.stream, r.partial, text(r.text)))
                .collect(),
            left_out,
        )
    }
}

#[test]
fn lines_become_records_and_an_unfinished_last_line_is_kept() {
    let mut rig = Rig::new(None);
    rig.say(b"one\n\ntwo");
    let (got, _) = rig.end();
    let want = [(false, "one"), (false, ""), (true, "two")]
        .map(|(p, t)| (Stream::Stdout, p, t.to_owned()));
    assert_eq!(got, want);
}

#[test]
fn a_paused_line_is_shown_and_continued() {
    let mut rig = Rig::new(None);
    rig.say(b"Epoch 1 ...");
    rig.grown.recv().unwrap();
    assert!(rig.log().ends_with(b" O Epoch 1 ...\n"));
    rig.say(b" done\n");
    let (got, _) = rig.end();
    assert_eq!(got[1], (Stream::Stdout, false, " done".to_owned()));
}

#[test]
fn notes_stand_between_lines() {
    let mut rig = Rig::new(None);
    rig.say(b"half");
    rig.grown.recv().unwrap();
    rig.pump.note("It was stopped.");
    rig.grown.recv().unwrap();
    let (got, _) = rig.end();
    assert_eq!(
        got[1],
        (Stream::System, false, "It was stopped.".to_owned())
    );
}

#[test]
fn beyond_the_limit_only_the_fact_is_kept() {
    let mut rig = Rig::new(Some(1000));
    for _ in 0..100 {
        rig.say(b"0123456789012345678901234567890123456789\n");
    }
    let (got, left_out) = rig.end();
    let kept = got.iter().filter(|r| r.0 == Stream::Stdout).count();
    assert!((10..20).contains(&kept), "{kept} lines kept");
    assert!(left_out > 3000);
    assert_eq!(got.iter().filter(|r| r.0 == Stream::System).count(), 2);
}

#[test]
fn a_line_longer_than_a_record_comes_in_parts() {
    let mut rig = Rig::new(None);
    let line = vec![b'x'; 3 * RECORD_BYTES];
    let fd = rig.out.take().unwrap();
    let whole = line.clone();
    let writer = std::thread::spawn(move || fs::File::from(fd).write_all(&whole).unwrap());
    writer.join().unwrap();
    let (got, _) = rig.end();
    assert!(got.len() >= 3 && got.iter().all(|r| r.1));
    assert_eq!(got.iter().map(|r| r.2.len()).sum::<usize>(), line.len());
}

#[test]
fn output_that_never_ends_can_be_given_up() {
    let rig = Rig::new(None);
    rig.say(b"kept\n");
    rig.grown.recv().unwrap();
    rig.pump.close();
    rig.pump.abandon();
    assert_eq!(rig.done.recv().unwrap(), 0);
}

//! The program that this crate's tests run: `supervise` as `cairn` has it, and what test runs do.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    let words: Vec<_> = args.iter().filter_map(|a| a.to_str()).collect();
    match words[..] {
        ["supervise", ..] => return spawner::supervise(&args[1..]),
        ["serve", socket, status] => serve(socket, status),
        ["flood", lines] => flood(lines.parse().expect("a number")),
        ["tick"] => tick(),
        ["eat", bytes] => eat(bytes.parse().expect("a number")),
        _ => return ExitCode::FAILURE,
    }
    ExitCode::SUCCESS
}

fn serve(socket: &str, status: &str) {
    let listener = UnixListener::bind(socket).expect("a socket");
    for stream in listener.incoming() {
        let mut stream = stream.expect("a connection");
        let mut request = [0; 1024];
        let read = stream.read(&mut request).unwrap_or(0);
        let answer =
            format!("HTTP/1.1 {status} Some\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        if read > 0 {
            // A client that hung up needs no answer.
            let _ = stream.write_all(answer.as_bytes());
        }
    }
}

fn flood(lines: u64) {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for n in 0..lines {
        writeln!(out, "{n:0>99}").expect("somebody reads");
    }
}

fn tick() {
    for n in 0_u64.. {
        writeln!(std::io::stdout(), "{n}").expect("somebody reads");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn eat(bytes: usize) {
    let food = vec![1_u8; bytes];
    let sum: usize = food.iter().map(|b| usize::from(*b)).sum();
    writeln!(std::io::stdout(), "{sum}").expect("somebody reads");
}

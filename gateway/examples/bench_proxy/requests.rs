//! Small answers, kept-alive connections, the access log on: requests per second with wrk, median of five rounds that take turns.

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::{
    WORKSPACE,
    peers::{Peer, Stage, on_client_core},
    report::{Figure, Report, median},
};

const ROUNDS: usize = 5;

/// What wrk saw in one round.
struct Round {
    per_second: f64,
    p99_ms: f64,
    errors: u64,
}

pub(crate) fn measure(stage: &Stage, report: &mut Report) -> Result<()> {
    let peers: Vec<&Peer> = [Some(&stage.ours), stage.nginx.as_ref(), stage.chp.as_ref()]
        .into_iter()
        .flatten()
        .collect();
    let mut rounds: Vec<Vec<Round>> = peers.iter().map(|_| Vec::new()).collect();
    for peer in &peers {
        wrk(stage, peer, 1)?;
    }
    for _ in 0..ROUNDS {
        for (peer, rounds) in peers.iter().zip(&mut rounds) {
            rounds.push(wrk(stage, peer, 3)?);
        }
    }
    let ours = summary(&rounds[0]);
    for (peer, rounds) in peers.iter().zip(&rounds).skip(1) {
        let theirs = summary(rounds);
        let (name, goal, least) = if peer.name == "nginx" {
            ("http_requests_vs_nginx", ">=0.8", 0.8)
        } else {
            ("http_requests_vs_chp", ">=4", 4.0)
        };
        report.add(&Figure {
            name,
            ours: ours.per_second,
            peer: theirs.per_second,
            goal,
            met: ours.per_second / theirs.per_second >= least && ours.errors == 0,
            detail: json!({"p99_ms": ours.p99_ms, "peer_p99_ms": theirs.p99_ms, "errors": ours.errors, "peer_errors": theirs.errors}),
        })?;
    }
    Ok(())
}

fn summary(rounds: &[Round]) -> Round {
    let mut rates: Vec<f64> = rounds.iter().map(|round| round.per_second).collect();
    let mut slowest: Vec<f64> = rounds.iter().map(|round| round.p99_ms).collect();
    Round {
        per_second: median(&mut rates),
        p99_ms: median(&mut slowest),
        errors: rounds.iter().map(|round| round.errors).sum(),
    }
}

fn wrk(stage: &Stage, peer: &Peer, seconds: u32) -> Result<Round> {
    let output = on_client_core("wrk")
        .args(["-t1", "-c32", &format!("-d{seconds}s"), "--latency"])
        .args([
            "-H",
            &format!("Host: {}", stage.host(peer)),
            "-H",
            "Cookie: cairn_workspace=alice; _xsrf=2|abc",
        ])
        .arg(format!("http://127.0.0.1:{}/w/{WORKSPACE}/api", peer.port))
        .output()
        .context("wrk is not installed")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let find = |prefix: &str| {
        text.lines()
            .find_map(|line| line.trim().strip_prefix(prefix))
            .map(str::trim)
    };
    let errors = find("Non-2xx or 3xx responses:").map_or(Ok(0), str::parse::<u64>)?;
    let broken = find("Socket errors:").is_some();
    Ok(Round {
        per_second: find("Requests/sec:")
            .with_context(|| text.clone())?
            .parse()?,
        p99_ms: milliseconds(find("99%").unwrap_or_default()),
        errors: errors + u64::from(broken),
    })
}

fn milliseconds(text: &str) -> f64 {
    let digits = text.trim_end_matches(|character: char| character.is_alphabetic());
    let value: f64 = digits.parse().unwrap_or(f64::NAN);
    match text.strip_prefix(digits) {
        Some("us") => value / 1000.0,
        Some("s") => value * 1000.0,
        _ => value,
    }
}

//! Counters of the gateway, printed in the Prometheus text format. It knows no label that a client could choose.

use std::{
    fmt::{self, Write as _},
    sync::{
        OnceLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use http::StatusCode;
use storage::scrub::Pass;

/// Upper bounds of the latency buckets, in microseconds.
const BOUNDS_US: [u64; 10] = [
    500, 1_000, 2_500, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 10_000_000,
];

/// What kind of thing a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// The API.
    Api,
    /// Pages and their assets.
    Page,
}

const AREAS: [(Area, &str); 2] = [(Area::Api, "api"), (Area::Page, "page")];

/// A number that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

/// Holds one of a [`Gauge`] until dropped.
#[derive(Debug)]
pub struct Held<'a>(&'a Gauge);

impl Gauge {
    /// Adds one for as long as the result lives.
    pub fn hold(&self) -> Held<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Held(self)
    }

    /// Its value now.
    pub fn value(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the gateway counts.
#[derive(Debug, Default)]
pub struct Metrics {
    areas: [Requests; 2],
    /// Event and log streams that are open.
    pub streams: Gauge,
    /// Says how many tunnels to workspaces are open.
    tunnels: OnceLock<Count>,
    /// Sign-ins refused: wrong name, password, link or code.
    pub sign_in_failures: AtomicU64,
    /// Requests that ended in a caught panic.
    pub panics: AtomicU64,
}

/// Asks for a number.
struct Count(Box<dyn Fn() -> usize + Send + Sync>);

impl fmt::Debug for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", (self.0)())
    }
}

#[derive(Debug, Default)]
struct Requests {
    by_class: [AtomicU64; 5],
    buckets: [AtomicU64; BOUNDS_US.len()],
    count: AtomicU64,
    sum_us: AtomicU64,
}

impl Metrics {
    /// Takes the number of open tunnels from whoever keeps them; the first to say counts.
    pub fn take_tunnels_from(&self, count: impl Fn() -> usize + Send + Sync + 'static) {
        // A second proxy in one process would be another gateway, with counters of its own.
        let _ = self.tunnels.set(Count(Box::new(count)));
    }

    fn tunnels(&self) -> usize {
        self.tunnels.get().map_or(0, |count| (count.0)())
    }

    /// Counts a request that was answered with `status` after `took`.
    pub fn answered(&self, area: Area, status: StatusCode, took: Duration) {
        let requests = &self.areas[area as usize];
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        requests.by_class[class].fetch_add(1, Ordering::Relaxed);
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = BOUNDS_US.iter().position(|bound| us <= *bound) {
            requests.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        }
        requests.count.fetch_add(1, Ordering::Relaxed);
        requests.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// Everything, in the Prometheus text format 0.0.4.
    pub fn print(&self) -> String {
        let mut out = String::new();
        self.print_requests(&mut out);
        self.print_latency(&mut out);
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed).to_string();
        for (name, kind, help, value) in [
            (
                "cairn_tunnels",
                "gauge",
                "Open tunnels to workspaces.",
                self.tunnels().to_string(),
            ),
            (
                "cairn_streams",
                "gauge",
                "Open event and log streams.",
                self.streams.value().to_string(),
            ),
            (
                "cairn_sign_in_failures_total",
                "counter",
                "Refused sign-ins.",
                load(&self.sign_in_failures),
            ),
            (
                "cairn_panics_total",
                "counter",
                "Requests that ended in a panic.",
                load(&self.panics),
            ),
        ] {
            header(&mut out, name, kind, help);
            line(&mut out, &format!("{name} {value}"));
        }
        if let Some(bytes) = resident_bytes() {
            let name = "process_resident_memory_bytes";
            header(&mut out, name, "gauge", "Resident memory.");
            line(&mut out, &format!("{name} {bytes}"));
        }
        out
    }

    fn print_requests(&self, out: &mut String) {
        let name = "cairn_http_requests_total";
        header(out, name, "counter", "Answered requests.");
        for (area, label) in AREAS {
            for (class, count) in self.areas[area as usize].by_class.iter().enumerate() {
                let count = count.load(Ordering::Relaxed);
                let class = class + 1;
                line(
                    out,
                    &format!("{name}{{area=\"{label}\",status=\"{class}xx\"}} {count}"),
                );
            }
        }
    }

    fn print_latency(&self, out: &mut String) {
        let name = "cairn_http_request_duration_seconds";
        header(out, name, "histogram", "Time until the head of the answer.");
        for (area, label) in AREAS {
            let requests = &self.areas[area as usize];
            let mut below = 0;
            for (bound, bucket) in BOUNDS_US.iter().zip(&requests.buckets) {
                below += bucket.load(Ordering::Relaxed);
                let bound = seconds(*bound);
                line(
                    out,
                    &format!("{name}_bucket{{area=\"{label}\",le=\"{bound}\"}} {below}"),
                );
            }
            let count = requests.count.load(Ordering::Relaxed);
            let sum = seconds(requests.sum_us.load(Ordering::Relaxed));
            line(
                out,
                &format!("{name}_bucket{{area=\"{label}\",le=\"+Inf\"}} {count}"),
            );
            line(out, &format!("{name}_sum{{area=\"{label}\"}} {sum}"));
            line(out, &format!("{name}_count{{area=\"{label}\"}} {count}"));
        }
    }
}

/// Adds what is known of the store: how many lists of files are damaged, and how far the newest pass through it is.
pub(crate) fn print_store(out: &mut String, damaged: i64, pass: Option<&Pass>) {
    let mut gauge = |name: &str, help: &str, value: i64| {
        header(out, name, "gauge", help);
        line(out, &format!("{name} {value}"));
    };
    let name = "cairn_store_damaged_manifests";
    gauge(name, "Lists of files with damage that is known.", damaged);
    let Some(pass) = pass else { return };
    let name = "cairn_scrub_pass";
    gauge(
        name,
        "Number of the newest pass that reads the store again.",
        pass.number,
    );
    let name = "cairn_scrub_bytes";
    gauge(name, "Bytes that it has read.", pass.bytes);
    let name = "cairn_scrub_percent";
    gauge(name, "How much of it is done.", pass.percent());
    let name = "cairn_scrub_damaged";
    gauge(name, "What it found missing or damaged.", pass.damaged);
    let name = "cairn_scrub_unread";
    gauge(
        name,
        "What the system could not read for it: the disk may be failing.",
        pass.unread,
    );
}

fn header(out: &mut String, name: &str, kind: &str, help: &str) {
    line(out, &format!("# HELP {name} {help}\n# TYPE {name} {kind}"));
}

fn line(out: &mut String, line: &str) {
    writeln!(out, "{line}").expect("a String takes everything");
}

fn seconds(us: u64) -> f64 {
    Duration::from_micros(us).as_secs_f64()
}

/// Resident memory of this process, where the system tells it as Linux does.
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_come_out_as_prometheus_reads_them() {
        let metrics = Metrics::default();
        metrics.answered(Area::Api, StatusCode::OK, Duration::from_millis(2));
        metrics.answered(Area::Api, StatusCode::NOT_FOUND, Duration::from_mins(1));
        let held = metrics.streams.hold();
        let text = metrics.print();
        assert!(text.contains("cairn_http_requests_total{area=\"api\",status=\"2xx\"} 1\n"));
        assert!(text.contains("duration_seconds_bucket{area=\"api\",le=\"0.0025\"} 1\n"));
        assert!(text.contains("duration_seconds_bucket{area=\"api\",le=\"+Inf\"} 2\n"));
        assert!(text.contains("cairn_streams 1\n"));
        drop(held);
        assert_eq!(metrics.streams.value(), 0);
    }
}

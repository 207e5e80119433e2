//! Counters of requests, in the text form that Prometheus reads.
//!
//! The registry is small on purpose: counters by listener, route, method and
//! status, the time spent in them, and the figures of the facades as they are
//! when somebody asks.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use http::{Method, StatusCode};
use parking_lot::Mutex;

/// The counters of both listeners.
#[derive(Default)]
pub struct Metrics {
    requests: Mutex<BTreeMap<Series, Figures>>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    listener: &'static str,
    route: String,
    method: String,
    status: u16,
}

#[derive(Default)]
struct Figures {
    count: u64,
    micros: u64,
}

impl Metrics {
    /// Counts one answered request.
    pub(crate) fn count_request(
        &self,
        listener: &'static str,
        method: &Method,
        route: &str,
        status: StatusCode,
        took: Duration,
    ) {
        // A caller can invent methods; a counter for each would never end.
        let method = if known(method) { method.as_str() } else { "OTHER" };
        let series = Series { listener, route: route.to_owned(), method: method.to_owned(), status: status.as_u16() };
        let mut requests = self.requests.lock();
        let figures = requests.entry(series).or_default();
        figures.count += 1;
        figures.micros += u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    }

    /// Returns how many requests were answered so far.
    pub fn requests_total(&self) -> u64 {
        self.requests.lock().values().map(|figures| figures.count).sum()
    }

    /// Writes the counters in Prometheus' text form.
    pub(crate) fn write(&self, text: &mut String) {
        let requests = self.requests.lock();
        head(text, "loopwright_http_requests_total", "counter", "Requests answered.");
        for (series, figures) in &*requests {
            line(text, "loopwright_http_requests_total", &series.labels(), figures.count as f64);
        }
        head(text, "loopwright_http_request_seconds_total", "counter", "Time from request to answer's head.");
        for (series, figures) in &*requests {
            let seconds = figures.micros as f64 / 1e6;
            line(text, "loopwright_http_request_seconds_total", &series.labels(), seconds);
        }
    }
}

impl Series {
    fn labels(&self) -> String {
        let Series { listener, route, method, status } = self;
        format!("listener=\"{listener}\",route=\"{}\",method=\"{method}\",status=\"{status}\"", escaped(route))
    }
}

/// Writes the two lines that introduce a metric.
pub(crate) fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// Writes one value of a metric; labels may be empty.
pub(crate) fn line(text: &mut String, name: &str, labels: &str, value: f64) {
    let _ = match labels {
        "" => writeln!(text, "{name} {value}"),
        labels => writeln!(text, "{name}{{{labels}}} {value}"),
    };
}

fn known(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS]
        .contains(method)
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

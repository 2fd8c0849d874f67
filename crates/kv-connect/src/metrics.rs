//! What is counted: requests by call and status, how long they take, connections,
//! watches, groups of commits; and what the database counts.

use std::time::Duration;

use hyper::StatusCode;
use metrics::{Counter, Gauge, Histogram, counter, describe_counter, describe_gauge};
use metrics::{describe_histogram, gauge, histogram};
use selvedge::Db;

use crate::database::Call;

const CALLS: [(Call, &str); 4] = [
    (Call::Metadata, "metadata"),
    (Call::Read, "snapshot_read"),
    (Call::Write, "atomic_write"),
    (Call::Watch, "watch"),
];

/// Instruments that are looked up once.
#[derive(Debug)]
pub(crate) struct Metrics {
    calls: [CallMetrics; 4],
    /// Requests that are for no call.
    lost: Counter,
    pub(crate) connections: Gauge,
    pub(crate) connections_refused: Counter,
    pub(crate) watches: Gauge,
    group_requests: Histogram,
}

#[derive(Debug)]
struct CallMetrics {
    answered: Counter,
    refused: Counter,
    failed: Counter,
    seconds: Histogram,
}

impl Metrics {
    /// Looks them up at the recorder that is installed, if there is one.
    pub(crate) fn new() -> Self {
        describe_counter!("kv_connect_requests_total", "Requests, by call and outcome");
        describe_histogram!("kv_connect_request_seconds", "Time to answer a request");
        describe_gauge!("kv_connect_connections", "Open connections");
        describe_counter!("kv_connect_connections_refused_total", "Connections over the limit");
        describe_gauge!("kv_connect_watches", "Open watches");
        describe_histogram!("kv_connect_group_requests", "Requests that shared one sync");
        let calls = CALLS.map(|(_, call)| {
            let count = |outcome: &'static str| {
                counter!("kv_connect_requests_total", "call" => call, "outcome" => outcome)
            };
            CallMetrics {
                answered: count("answered"),
                refused: count("refused"),
                failed: count("failed"),
                seconds: histogram!("kv_connect_request_seconds", "call" => call),
            }
        });
        Self {
            calls,
            lost: counter!("kv_connect_requests_total", "call" => "none", "outcome" => "refused"),
            connections: gauge!("kv_connect_connections"),
            connections_refused: counter!("kv_connect_connections_refused_total"),
            watches: gauge!("kv_connect_watches"),
            group_requests: histogram!("kv_connect_group_requests"),
        }
    }

    pub(crate) fn request(&self, call: Option<Call>, status: StatusCode, time: Duration) {
        let at = call.and_then(|call| CALLS.iter().position(|(other, _)| *other == call));
        let Some(call) = at.map(|at| &self.calls[at]) else {
            self.lost.increment(1);
            return;
        };
        match status {
            status if status.is_server_error() => call.failed.increment(1),
            status if status.is_client_error() => call.refused.increment(1),
            _ => call.answered.increment(1),
        }
        call.seconds.record(time);
    }

    pub(crate) fn group(&self, requests: usize) {
        self.group_requests.record(requests as f64);
    }
}

/// Sets the gauges of the database to what it counts now.
pub(crate) fn observe(db: &Db) {
    let statistics = db.statistics();
    gauge!("selvedge_commits").set(statistics.commits as f64);
    gauge!("selvedge_snapshots_open").set(statistics.snapshots_open as f64);
    gauge!("selvedge_versions_retained").set(statistics.versions_retained as f64);
    gauge!("selvedge_bytes_retained").set(statistics.bytes_retained as f64);
    if let Some(storage) = statistics.storage {
        gauge!("selvedge_log_bytes").set(storage.log.bytes as f64);
        gauge!("selvedge_log_syncs").set(storage.log.syncs as f64);
        gauge!("selvedge_log_bytes_to_replay").set(storage.log_bytes_to_replay as f64);
        gauge!("selvedge_data_bytes").set(storage.data_bytes as f64);
    }
}

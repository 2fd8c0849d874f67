//! The page with the metrics, on a port of its own.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use selvedge::Db;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::metrics::observe;
use crate::unstalled::Unstalled;

/// Seconds of the buckets for requests.
const SECONDS: [f64; 12] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];
/// Requests of the buckets for groups.
const REQUESTS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];
/// How long a request's head may take, and how long nothing may be taken of the page.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// Connections at the same time; more are closed at once, and leave files to clients.
const CONNECTIONS_MAX: usize = 64;

/// Collects metrics of the process, to be shown on a page.
#[derive(Clone, Debug)]
pub struct MetricsPage(PrometheusHandle);

impl MetricsPage {
    /// Collects from now on, for the whole process.
    ///
    /// # Errors
    /// Somebody collects already.
    pub fn install() -> io::Result<Self> {
        let seconds = Matcher::Suffix("_seconds".to_owned());
        let requests = Matcher::Suffix("_requests".to_owned());
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(seconds, &SECONDS)
            .and_then(|builder| builder.set_buckets_for_metric(requests, &REQUESTS))
            .and_then(PrometheusBuilder::install_recorder)
            .map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self(handle))
    }

    /// The page, in the text format of Prometheus.
    #[must_use]
    pub fn text(&self, db: &Db) -> String {
        observe(db);
        self.0.run_upkeep();
        self.0.render()
    }

    /// Shows the page at `/metrics`, until `shutdown`.
    pub async fn serve(self, listener: TcpListener, db: Db, shutdown: CancellationToken) {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = shutdown.cancelled() => return,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let Ok(room) = Arc::clone(&room).try_acquire_owned() else { continue };
            let (page, db, shutdown) = (self.clone(), db.clone(), shutdown.clone());
            tokio::spawn(async move {
                let answer = service_fn(|request| {
                    let response = page.answer(&request, &db);
                    async move { Ok::<_, Infallible>(response) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEADER_TIME)
                    .serve_connection(TokioIo::new(Unstalled::new(stream, HEADER_TIME)), answer);
                tokio::select! {
                    _ = connection => {}
                    () = shutdown.cancelled() => {}
                }
                drop(room);
            });
        }
    }

    fn answer<B>(&self, request: &Request<B>, db: &Db) -> Response<Full<Bytes>> {
        let (status, text) = match (request.method(), request.uri().path()) {
            (&Method::GET, "/metrics" | "/") => (StatusCode::OK, self.text(db)),
            (_, "/metrics" | "/") => (StatusCode::METHOD_NOT_ALLOWED, String::new()),
            _ => (StatusCode::NOT_FOUND, "The metrics are at /metrics.\n".to_owned()),
        };
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status;
        let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }
}

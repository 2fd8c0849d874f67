//! From a request to its answer.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hyper::body::Body;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response};
use uuid::Uuid;

use crate::access::Access;
use crate::body::{Answer, Bodies, BoxError};
use crate::database::{Call, Database, Databases, Route};
use crate::metadata;
use crate::read::Read;
use crate::refusal::Refusal;
use crate::watch::{self, Surroundings, WatchStream};
use crate::write::{self, Write};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");
const FRAMES: HeaderValue = HeaderValue::from_static("application/octet-stream");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Answers requests; one for all connections.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) databases: Arc<Databases>,
    pub(crate) access: Access,
    pub(crate) bodies: Bodies,
    pub(crate) surroundings: Surroundings,
}

impl Service {
    /// The answer, whatever it is.
    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Response<Answer>
    where
        B: Body<Error: Into<BoxError>>,
    {
        let start = Instant::now();
        let (parts, body) = request.into_parts();
        let route = Route::of(parts.uri.path());
        let call = route.as_ref().ok().map(|route| route.call);
        let done = match route {
            Ok(route) => self.call(route, &parts.method, &parts.headers, body).await,
            Err(refusal) => Err(refusal),
        };
        let response = done.unwrap_or_else(|refusal| {
            tracing::debug!(path = parts.uri.path(), %refusal, "refused");
            refused(&refusal)
        });
        self.surroundings.metrics.request(call, response.status(), start.elapsed());
        response
    }

    async fn call<B>(
        &self,
        route: Route<'_>,
        method: &Method,
        headers: &HeaderMap,
        body: B,
    ) -> Result<Response<Answer>, Refusal>
    where
        B: Body<Error: Into<BoxError>>,
    {
        if method != Method::POST {
            return Err(Refusal::MethodNotAllowed);
        }
        self.access.check(headers)?;
        let database = self.database(route.name).await?;
        if route.call != Call::Metadata {
            check_headers(headers, &database)?;
        }
        let body = self.bodies.read(body).await?;
        match route.call {
            Call::Metadata => {
                let answer = metadata::answer(&database, self.access.data_token(), &body)?;
                Ok(whole(JSON, answer))
            }
            Call::Read => Ok(whole(PROTOBUF, self.read(database, Read::decode(body)?).await?)),
            Call::Write => {
                let write = Write::decode(body)?;
                let outcome = self.surroundings.committer.commit(database, write).await?;
                Ok(whole(PROTOBUF, write::answer(outcome)))
            }
            Call::Watch => {
                let keys = watch::decode(body)?;
                let stream = WatchStream::new(&database, keys, self.surroundings.clone())?;
                Ok(response(FRAMES, Answer::Watch(Box::new(stream))))
            }
        }
    }

    async fn database(&self, name: &str) -> Result<Arc<Database>, Refusal> {
        if let Some(known) = self.databases.known(name) {
            return Ok(known);
        }
        let (databases, name) = (Arc::clone(&self.databases), name.to_owned());
        blocking(move || databases.find(&name)).await
    }

    async fn read(&self, database: Arc<Database>, read: Read) -> Result<Bytes, Refusal> {
        let (answer, pending) = if read.is_long() {
            let room = Arc::clone(&self.surroundings.room);
            blocking(move || read.answer(&database, &room)).await?
        } else {
            read.answer(&database, &self.surroundings.room)?
        };
        if let Some(pending) = pending.filter(|_| self.surroundings.durable) {
            let synced = self.surroundings.committer.sync(pending).await;
            synced.map_err(|_| Refusal::Internal)??;
        }
        Ok(answer)
    }
}

/// Runs what takes long, or waits for the disk, where it keeps nobody waiting.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::Internal)?
}

fn check_headers(headers: &HeaderMap, database: &Database) -> Result<(), Refusal> {
    let version = headers.get("x-denokv-version").map(HeaderValue::as_bytes);
    if !matches!(version, Some(b"2" | b"3")) {
        return Err(Refusal::InvalidProtocolVersion);
    }
    let id = headers.get("x-denokv-database-id").map(HeaderValue::as_bytes);
    let id = id.and_then(|id| Uuid::try_parse_ascii(id).ok());
    if id == Some(database.id) { Ok(()) } else { Err(Refusal::InvalidDatabaseId) }
}

fn response(content_type: HeaderValue, answer: Answer) -> Response<Answer> {
    let mut response = Response::new(answer);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

fn whole(content_type: HeaderValue, bytes: Bytes) -> Response<Answer> {
    response(content_type, Answer::Whole(Some(bytes)))
}

fn refused(refusal: &Refusal) -> Response<Answer> {
    let mut response = whole(TEXT, refusal.to_string().into());
    *response.status_mut() = refusal.status();
    if *refusal == Refusal::MethodNotAllowed {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    }
    response
}

//! Listening, and the life of connections.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use selvedge::{Db, Error};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::body::Bodies;
use crate::committer::Committer;
use crate::database::Databases;
use crate::metrics::Metrics;
use crate::room::Room;
use crate::service::Service;
use crate::tls::Tls;
use crate::unstalled::Unstalled;
use crate::untaken::{Offered, Untaken};
use crate::watch::Surroundings;

/// How a server runs.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Who may ask.
    pub access: Access,
    /// Answers tell only what is on the disk. To be set if the database was opened with
    /// [`SyncLevel::Full`](selvedge::SyncLevel::Full).
    pub durable: bool,
    /// Paths that name no database make one.
    pub create_databases: bool,
    /// TLS, if it is spoken.
    pub tls: Option<Tls>,
    /// Bytes of a request's body.
    pub body_bytes_max: usize,
    /// Bytes of the bodies of requests that are under way, of all connections together.
    /// One alone may be larger.
    pub request_bytes_max: usize,
    /// How long a request's body may take to arrive.
    pub body_time: Duration,
    /// How long a request's head may take to arrive, and a connection may be idle. Over
    /// HTTP/2 that goes until the first request; then a client need only answer pings.
    pub header_time: Duration,
    /// Bytes of answers with entries that clients have yet to take, of all connections
    /// together. One answer alone may be larger.
    pub answer_bytes_max: usize,
    /// How long a client may take nothing of what it is sent.
    pub answer_time: Duration,
    /// Connections at the same time.
    pub connections_max: usize,
    /// How long requests that are under way may take at the end.
    pub shutdown_time: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            access: Access::open(),
            durable: true,
            create_databases: false,
            tls: None,
            body_bytes_max: 2 << 20,
            request_bytes_max: 256 << 20,
            body_time: Duration::from_secs(30),
            header_time: Duration::from_secs(60),
            answer_bytes_max: 256 << 20,
            answer_time: Duration::from_secs(60),
            connections_max: 16_384,
            shutdown_time: Duration::from_secs(10),
        }
    }
}

/// What one connection may have under way over HTTP/2.
const STREAMS_MAX: u32 = 256;
const HEADERS_BYTES_MAX: u32 = 16 << 10;
/// How often a silent peer is asked whether it is there, and how long it has to answer.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Times that are longer are this one: no clock knows the moments behind them.
const TIME_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

impl ServerOptions {
    /// The same, as far as it can be.
    fn possible(self) -> Self {
        Self {
            body_time: self.body_time.min(TIME_MAX),
            header_time: self.header_time.min(TIME_MAX),
            answer_time: self.answer_time.min(TIME_MAX),
            shutdown_time: self.shutdown_time.min(TIME_MAX),
            connections_max: self.connections_max.min(Semaphore::MAX_PERMITS),
            ..self
        }
    }
}

/// A server of one database.
#[derive(Debug)]
pub struct Server {
    db: Db,
    service: Arc<Service>,
    options: ServerOptions,
}

impl Server {
    /// A server of this database, which does not listen yet.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn new(db: Db, options: ServerOptions) -> io::Result<Self> {
        let options = options.possible();
        let metrics = Arc::new(Metrics::new());
        let committer = Committer::start(options.durable, Arc::clone(&metrics))?;
        let surroundings = Surroundings {
            committer: Arc::new(committer),
            durable: options.durable,
            room: Room::of_answers(options.answer_bytes_max),
            shutdown: CancellationToken::new(),
            metrics,
        };
        let databases = Arc::new(Databases::new(db.clone(), options.create_databases));
        let service = Service {
            databases,
            access: options.access.clone(),
            bodies: Bodies {
                bytes_max: options.body_bytes_max,
                time: options.body_time,
                room: Room::of_requests(options.request_bytes_max),
            },
            surroundings,
        };
        Ok(Self { db, service: Arc::new(service), options })
    }

    /// Serves until `shutdown`; then ends watches, lets requests that are under way end,
    /// and closes the database.
    ///
    /// # Errors
    /// Of closing the database.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        let graceful = GracefulShutdown::new();
        let room = Arc::new(Semaphore::new(self.options.connections_max));
        let builder = self.builder();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = shutdown.cancelled() => break,
            };
            match accepted {
                Ok((stream, peer)) => match Arc::clone(&room).try_acquire_owned() {
                    Ok(room) => self.connect(stream, peer, room, &builder, &graceful),
                    Err(_) => self.service.surroundings.metrics.connections_refused.increment(1),
                },
                // Too many open files, say: others close some.
                Err(error) => {
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop(listener);
        self.service.surroundings.shutdown.cancel();
        if tokio::time::timeout(self.options.shutdown_time, graceful.shutdown()).await.is_err() {
            tracing::warn!("connections are cut: their requests took too long");
        }
        let db = self.db;
        drop(self.service);
        tokio::task::spawn_blocking(move || db.close())
            .await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// The answer to one request, without a connection: for another server in front,
    /// and for tests. Everything but the limits of connections holds as over a socket.
    /// Needs a runtime of tokio, with timers.
    pub async fn answer<B>(
        &self,
        request: Request<B>,
    ) -> Response<impl Body<Data = Bytes, Error = Infallible> + use<B>>
    where
        B: Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
    {
        self.service.answer(request).await
    }

    fn builder(&self) -> auto::Builder<TokioExecutor> {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.options.header_time)
            .half_close(true);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(HEADERS_BYTES_MAX)
            .keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE);
        builder
    }

    fn connect(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        room: OwnedSemaphorePermit,
        builder: &auto::Builder<TokioExecutor>,
        graceful: &GracefulShutdown,
    ) {
        // Answers are small, and whole: nothing is gained by waiting for more.
        let _ = stream.set_nodelay(true);
        let keep_alive = TcpKeepalive::new().with_time(KEEP_ALIVE * 3).with_interval(KEEP_ALIVE);
        let _ = SockRef::from(&stream).set_tcp_keepalive(&keep_alive);
        let connection = Connection {
            service: Arc::clone(&self.service),
            builder: builder.clone(),
            watcher: graceful.watcher(),
            header_time: self.options.header_time,
            answer_time: self.options.answer_time,
            peer,
            room,
        };
        match self.options.tls.clone() {
            None => drop(tokio::spawn(connection.run(stream))),
            Some(Tls(acceptor)) => drop(tokio::spawn(async move {
                let accepted =
                    tokio::time::timeout(connection.header_time, acceptor.accept(stream));
                let shutdown = connection.service.surroundings.shutdown.clone();
                let accepted = tokio::select! {
                    accepted = accepted => accepted,
                    () = shutdown.cancelled() => return,
                };
                match accepted {
                    Ok(Ok(stream)) => connection.run(stream).await,
                    Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS"),
                    Err(_) => tracing::debug!(%peer, "no TLS in time"),
                }
            })),
        }
    }
}

struct Connection {
    service: Arc<Service>,
    builder: auto::Builder<TokioExecutor>,
    watcher: hyper_util::server::graceful::Watcher,
    header_time: Duration,
    answer_time: Duration,
    peer: SocketAddr,
    #[expect(dead_code, reason = "held as long as the connection lives")]
    room: OwnedSemaphorePermit,
}

impl Connection {
    async fn run<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let metrics = Arc::clone(&self.service.surroundings.metrics);
        metrics.connections.increment(1.0);
        let (asked, untaken) = (AtomicBool::new(false), Arc::<Untaken>::default());
        let answer = service_fn(|request: Request<Incoming>| {
            asked.store(true, Ordering::Relaxed);
            let service = Arc::clone(&self.service);
            let counted = (request.version() == Version::HTTP_2).then(|| Arc::clone(&untaken));
            async move {
                let answer = service.answer(request).await;
                Ok::<_, Infallible>(answer.map(|body| Offered::new(body, counted)))
            }
        });
        let stream = Unstalled::new(stream, self.answer_time);
        let connection = self.builder.serve_connection(TokioIo::new(stream), answer);
        let mut connection = std::pin::pin!(self.watcher.watch(connection.into_owned()));
        // Until the first request nothing else limits the time: which version is spoken
        // is found out before HTTP begins.
        let ended = async {
            let first = tokio::time::timeout(self.header_time, &mut connection).await;
            match first {
                Ok(ended) => Some(ended),
                Err(_) if asked.load(Ordering::Relaxed) => Some(connection.await),
                Err(_) => None,
            }
        };
        let peer = self.peer;
        tokio::select! {
            ended = ended => match ended {
                Some(Err(error)) => tracing::debug!(%peer, %error, "a connection broke"),
                Some(Ok(())) => {}
                None => tracing::debug!(%peer, "a connection asked for nothing"),
            },
            () = untaken.too_long(self.answer_time) => {
                tracing::debug!(%peer, "a connection has no room for its answers");
            }
        }
        metrics.connections.decrement(1.0);
    }
}

//! `selvedge serve`: a database over the network, until SIGINT or SIGTERM.

use std::env::VarError;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use rustix::process::{Resource, getrlimit, setrlimit};
use selvedge::{Db, SyncLevel};
use selvedge_kv_connect::{Access, MetricsPage, Server, ServerOptions, Tls};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Where the token may stand, the first that is set counts.
const TOKEN_VARIABLES: [&str; 2] = ["SELVEDGE_KV_TOKEN", "DENO_KV_ACCESS_TOKEN"];
/// Open files beside connections.
const FILES_BESIDE: u64 = 256;

/// Serves a database over the network.
///
/// The access token is read from --token-file, or the variable SELVEDGE_KV_TOKEN, or
/// DENO_KV_ACCESS_TOKEN. Without one, only addresses of this machine are served, and
/// whoever asks there may.
#[derive(Args)]
pub(crate) struct Serve {
    /// The directory of the database; made if there is none
    dir: PathBuf,
    /// Serves KV Connect at this address; port 0 takes any that is free
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4512")]
    kv_connect: SocketAddr,
    /// The file with the access token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A path that names no database makes one
    #[arg(long)]
    create_databases: bool,
    /// Shows metrics for Prometheus at this address
    #[arg(long, value_name = "ADDR")]
    metrics: Option<SocketAddr>,
    /// The chain of certificates (PEM), for TLS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of the first certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// When a write is answered
    #[arg(long, value_enum, default_value_t = Sync::Full)]
    sync: Sync,
    /// With --sync normal: how long a write may not be on the disk, in milliseconds
    #[arg(long, value_name = "MILLIS", default_value_t = 100)]
    sync_every: u64,
    /// Bytes of a request's body
    #[arg(long, value_name = "BYTES", default_value_t = 2 << 20)]
    body_bytes_max: usize,
    /// Bytes of the bodies of requests that are under way, of all connections together
    #[arg(long, value_name = "BYTES", default_value_t = 256 << 20)]
    request_bytes_max: usize,
    /// Seconds that a request's body may take to arrive
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    body_time: u64,
    /// Seconds that a request's head may take to arrive, and a connection may be idle (over
    /// HTTP/2 until the first request)
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    header_time: u64,
    /// Bytes of answers that clients have yet to take, of all connections together
    #[arg(long, value_name = "BYTES", default_value_t = 256 << 20)]
    answer_bytes_max: usize,
    /// Seconds that a client may take nothing of what it is sent
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    answer_time: u64,
    /// Connections at the same time
    #[arg(long, value_name = "NUMBER", default_value_t = 16_384)]
    connections_max: usize,
    /// Seconds that requests may take to end at the end
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    shutdown_time: u64,
}

/// When a write is answered.
#[derive(Clone, Copy, ValueEnum)]
enum Sync {
    /// Once it is on the disk
    Full,
    /// At once; it is on the disk soon after
    Normal,
    /// At once; it is on the disk whenever the system gets to it
    Off,
}

impl Serve {
    pub(crate) fn run(self) -> Result<()> {
        let filter = EnvFilter::try_from_env("SELVEDGE_LOG")
            .unwrap_or_else(|_| EnvFilter::new("selvedge=info,selvedge_kv_connect=info"));
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(std::io::stderr)
            .init();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(self.serve())
    }

    async fn serve(self) -> Result<()> {
        let options = self.options()?;
        raise_files_limit(self.connections_max);
        let (durable, level) = match self.sync {
            Sync::Full => (true, SyncLevel::Full),
            Sync::Normal => {
                (false, SyncLevel::Normal { every: Duration::from_millis(self.sync_every) })
            }
            Sync::Off => (false, SyncLevel::Off),
        };
        // First what can fail for want of a port, then what leaves files.
        let listener = listen(self.kv_connect).await?;
        let page = match self.metrics {
            Some(address) => Some((MetricsPage::install()?, listen(address).await?)),
            None => None,
        };
        let scheme = if options.tls.is_some() { "https" } else { "http" };
        let shutdown = on_signals()?;
        let dir = self.dir;
        let db = tokio::task::spawn_blocking(move || {
            Db::builder().sync(level).open(&dir).with_context(|| format!("{}", dir.display()))
        });
        let db = db.await??;
        if let Some((page, listener)) = page {
            eprintln!("Metrics on http://{}/metrics", listener.local_addr()?);
            tokio::spawn(page.serve(listener, db.clone(), shutdown.clone()));
        }
        let server = Server::new(db, ServerOptions { durable, ..options })?;
        eprintln!("Listening on {scheme}://{}", listener.local_addr()?);
        server.serve(listener, shutdown).await.context("closing the database")
    }

    fn options(&self) -> Result<ServerOptions> {
        let access = self.access()?;
        if access.is_open() && !self.kv_connect.ip().is_loopback() {
            bail!(
                "without a token only this machine may be served, and {} is for others too: \
                 give one with --token-file or in {}",
                self.kv_connect,
                TOKEN_VARIABLES[0],
            );
        }
        let tls = match (&self.tls_cert, &self.tls_key) {
            (Some(certificates), Some(key)) => {
                Some(Tls::open(certificates, key).context("the certificates, or their key")?)
            }
            _ => None,
        };
        Ok(ServerOptions {
            access,
            create_databases: self.create_databases,
            tls,
            body_bytes_max: self.body_bytes_max,
            request_bytes_max: self.request_bytes_max,
            body_time: Duration::from_secs(self.body_time),
            header_time: Duration::from_secs(self.header_time),
            answer_bytes_max: self.answer_bytes_max,
            answer_time: Duration::from_secs(self.answer_time),
            connections_max: self.connections_max,
            shutdown_time: Duration::from_secs(self.shutdown_time),
            ..ServerOptions::default()
        })
    }

    fn access(&self) -> Result<Access> {
        let token = match &self.token_file {
            Some(file) => {
                let token = std::fs::read_to_string(file)
                    .with_context(|| format!("the token in {}", file.display()))?;
                Some(token.trim().to_owned())
            }
            None => token_of_environment()?,
        };
        let Some(token) = token else { return Ok(Access::open()) };
        let visible = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        ensure!(visible, "the token must be of visible ASCII characters, at least one");
        Ok(Access::token(token))
    }
}

/// One that is set and cannot be read is not as good as none.
fn token_of_environment() -> Result<Option<String>> {
    for name in TOKEN_VARIABLES {
        match std::env::var(name) {
            Ok(token) => return Ok(Some(token)),
            Err(VarError::NotPresent) => {}
            Err(error) => return Err(error).context(name),
        }
    }
    Ok(None)
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// Ends with the first signal; a second one does not wait.
fn on_signals() -> Result<CancellationToken> {
    let shutdown = CancellationToken::new();
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let token = shutdown.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if token.is_cancelled() {
                std::process::exit(1);
            }
            tracing::info!("ending");
            token.cancel();
        }
    });
    Ok(shutdown)
}

/// Allows as many open files as there may be connections, as far as the system does.
fn raise_files_limit(connections: usize) {
    let limit = getrlimit(Resource::Nofile);
    let wanted = (connections as u64).saturating_add(FILES_BESIDE);
    let most = limit.maximum.unwrap_or(u64::MAX);
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = rustix::process::Rlimit { current: Some(wanted.min(most)), ..limit };
        let done = setrlimit(Resource::Nofile, raised);
        if most < wanted || done.is_err() {
            tracing::warn!(most, "fewer connections than --connections-max can be open");
        }
    }
}

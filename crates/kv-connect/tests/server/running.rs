//! A server inside of the test.

use std::net::SocketAddr;
use std::thread::JoinHandle;

use selvedge::Db;
use selvedge_kv_connect::{Access, Server, ServerOptions};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::client::Client;

pub(crate) const TOKEN: &str = "secret";

/// A server, ended when it is dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) db: Db,
    shutdown: CancellationToken,
    thread: Option<JoinHandle<Result<(), selvedge::Error>>>,
}

impl Running {
    /// Of a database in memory, behind a token.
    pub(crate) fn start() -> Self {
        Self::with(|options| options)
    }

    pub(crate) fn with(change: impl FnOnce(ServerOptions) -> ServerOptions) -> Self {
        Self::of(Db::in_memory(), change)
    }

    pub(crate) fn of(db: Db, change: impl FnOnce(ServerOptions) -> ServerOptions) -> Self {
        let options = ServerOptions { access: Access::token(TOKEN), ..ServerOptions::default() };
        let options = change(options);
        let shutdown = CancellationToken::new();
        let (send, receive) = std::sync::mpsc::channel();
        let (of_thread, until) = (db.clone(), shutdown.clone());
        let thread = std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
                send.send(listener.local_addr().expect("an address")).expect("the test waits");
                let server = Server::new(of_thread, options).expect("a thread");
                server.serve(listener, until).await
            })
        });
        let address = receive.recv().expect("it listens");
        Self { address, db, shutdown, thread: Some(thread) }
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address, "/", TOKEN).expect("a connection")
    }

    /// Ends it, as a signal does.
    pub(crate) fn stop(mut self) {
        self.end().expect("it ends well");
    }

    /// Ends it, and tells how.
    pub(crate) fn ended(mut self) -> Result<(), selvedge::Error> {
        self.end()
    }

    fn end(&mut self) -> Result<(), selvedge::Error> {
        self.shutdown.cancel();
        let thread = self.thread.take().expect("ended once");
        thread.join().expect("no panic")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.thread.is_some() && !std::thread::panicking() {
            self.end().expect("it ends well");
        }
    }
}

//! A server as a process of its own, on a directory of its own.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::client::Client;

pub(crate) const TOKEN: &str = "benchmark-token-0123456789";

/// Ended when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    child: Child,
    _dir: TempDir,
}

impl Server {
    /// `selvedge serve`, which syncs before it answers unless it is told otherwise.
    pub(crate) fn selvedge(program: &str) -> Result<Self> {
        Self::start(program, |command, dir, address| {
            command.args(["serve", "--kv-connect", address, "--sync", "full"]);
            command.arg(format!("{dir}/db")).env("SELVEDGE_KV_TOKEN", TOKEN);
        })
    }

    /// `denokv`. It sets SQLite to WAL and leaves `synchronous` alone, which is FULL
    /// then: the WAL is synced with each commit.
    pub(crate) fn denokv(program: &str) -> Result<Self> {
        Self::start(program, |command, dir, address| {
            command.arg("--sqlite-path").arg(format!("{dir}/db.sqlite"));
            command.args(["serve", "--addr", address, "--access-token", TOKEN]);
        })
    }

    fn start(program: &str, arguments: impl FnOnce(&mut Command, &str, &str)) -> Result<Self> {
        // In the working directory: what is temporary may be in memory only.
        let dir = tempfile::tempdir_in(".")?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new(program);
        let path = dir.path().to_str().context("a directory without a name")?;
        arguments(&mut command, path, &address.to_string());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.with_context(|| format!("cannot run {program}"))?;
        let server = Self { address, child, _dir: dir };
        let began = Instant::now();
        while Client::connect(server.address).is_err() {
            if began.elapsed() > Duration::from_secs(20) {
                bail!("{program} does not answer");
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }
}

impl Server {
    /// Processor time that the server has used, in nanoseconds.
    pub(crate) fn processor_nanos(&self) -> Result<u64> {
        let mut nanos = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // A thread may end meanwhile.
            let spent = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            nanos += spent.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0);
        }
        Ok(nanos)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

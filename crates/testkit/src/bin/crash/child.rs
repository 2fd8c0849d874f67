//! Processes that this one starts: this program again, with other arguments.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{self, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::failure::{Failure, Result};
use crate::load::EXIT_BROKEN;
use crate::message::{Message, parse_all};

/// This very program, even if another was built in its place meanwhile.
const PROGRAM: &str = "/proc/self/exe";

/// A process that runs. It is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Child {
    process: process::Child,
    /// Takes what it writes, so that it never waits for this process.
    written: Option<JoinHandle<io::Result<Vec<u8>>>>,
}

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) messages: Vec<Message>,
    pub(crate) status: ExitStatus,
}

impl Ended {
    /// Whether it ran until it was killed.
    pub(crate) fn was_killed(&self) -> bool {
        const SIGKILL: i32 = 9;
        self.status.signal() == Some(SIGKILL)
    }

    /// Whether it says that a promise was broken.
    pub(crate) fn saw_breach(&self) -> bool {
        self.status.code() == Some(EXIT_BROKEN.into())
    }
}

impl Child {
    /// Starts one; what it writes to standard error goes to the end of `log`.
    pub(crate) fn start(words: &[String], log: &Path) -> Result<Self> {
        let system = |error| Failure::system("starting a child", &error);
        let log = File::options().create(true).append(true).open(log).map_err(system)?;
        let mut process = Command::new(PROGRAM)
            .args(words)
            // Ctrl-C is for this process, which ends the children in its own time.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(system)?;
        let pipe = process.stdout.take();
        let mut child = Self { process, written: None };
        let read_all = move || {
            let mut written = Vec::new();
            pipe.map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut written))?;
            Ok(written)
        };
        child.written = Some(thread::Builder::new().spawn(read_all).map_err(system)?);
        Ok(child)
    }

    /// Kills it, if it still runs, and takes what it wrote.
    pub(crate) fn kill(mut self) -> Result<Ended> {
        // An error says that it has ended already.
        let _ = self.process.kill();
        self.collect()
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(mut self, most: Duration) -> Result<Ended> {
        let until = Instant::now() + most;
        while self.process.try_wait().map_err(|e| Failure::system("waiting", &e))?.is_none() {
            if Instant::now() > until {
                return Err(Failure::Broken(format!("a child hangs for {most:?}")));
            }
            thread::sleep(Duration::from_millis(1));
        }
        self.collect()
    }

    fn collect(&mut self) -> Result<Ended> {
        let status = self.process.wait().map_err(|e| Failure::system("waiting", &e))?;
        let written = self.written.take().map(JoinHandle::join);
        let written = written.ok_or_else(|| Failure::System("collected twice".to_owned()))?;
        let written = written.map_err(|_| Failure::System("the reader panicked".to_owned()))?;
        let written = written.map_err(|error| Failure::system("reading a pipe", &error))?;
        let messages = parse_all(&written).map_err(Failure::System)?;
        Ok(Ended { messages, status })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

//! `selvedge serve` as an operator meets it: what it says, what it refuses, how it ends,
//! and what is left when it is killed.

#[path = "../../kv-connect/tests/server/client.rs"]
#[expect(dead_code, reason = "the tests of the server need more of it")]
mod client;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use client::{Client, set};
use denokv_proto::datapath as pb;

/// The server as a process, killed when it is dropped.
struct Process {
    child: Child,
    address: SocketAddr,
    /// What it said before it listened.
    said: Vec<String>,
}

fn command(dir: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
    command.args(["serve", "--kv-connect", "127.0.0.1:0"]).args(options).arg(dir);
    command.env_remove("SELVEDGE_KV_TOKEN").env_remove("DENO_KV_ACCESS_TOKEN");
    command.stderr(Stdio::piped());
    command
}

impl Process {
    fn start(dir: &Path, options: &[&str]) -> Self {
        Self::spawn(&mut command(dir, options))
    }

    #[expect(clippy::zombie_processes, reason = "waited for by whoever stops or kills it")]
    fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("a process");
        let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
        let mut said = Vec::new();
        loop {
            let mut line = String::new();
            assert!(stderr.read_line(&mut line).expect("text") > 0, "ended: {said:?}");
            if let Some(address) = line.trim_end().strip_prefix("Listening on http://") {
                let address = address.parse().expect("an address");
                // What comes later nobody reads, and it must not stop for that.
                std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
                return Self { child, address, said };
            }
            said.push(line);
        }
    }

    fn client(&self) -> Client {
        Client::connect(self.address, "/", "any").expect("a connection")
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it runs");
    }

    /// Ends it as an operator does.
    fn stop(self) {
        self.signal(rustix::process::Signal::TERM);
        self.wait();
    }

    /// It ends, and well.
    fn wait(mut self) {
        assert!(self.child.wait().expect("a status").success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    for sync in ["full", "normal", "off"] {
        let options = ["--sync", sync];
        let process = Process::start(&dir.path().join(sync), &options);
        let mut client = process.client();
        let (stamp, database) = (client.set(b"k", b"v"), client.database.clone());
        process.stop();
        let process = Process::start(&dir.path().join(sync), &options);
        let mut client = process.client();
        assert_eq!(client.database, database);
        let entry = client.get(b"k").unwrap();
        assert_eq!((entry.value, &entry.versionstamp), (b"v".to_vec(), &stamp));
        assert!(client.set(b"k", b"v") > stamp);
        drop(process);
    }
}

#[test]
fn a_watch_does_not_keep_it_from_ending() {
    let dir = tempfile::tempdir().unwrap();
    let process = Process::start(&dir.path().join("db"), &[]);
    let mut client = process.client();
    client.watch(&[b"k"]);
    client.update().unwrap();
    let start = Instant::now();
    process.signal(rustix::process::Signal::INT);
    while client.frame().is_some() {}
    process.wait();
    assert!(start.elapsed() < Duration::from_secs(8));
}

#[test]
fn tokens_come_from_a_file_or_the_environment() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "of-the-file\n").unwrap();
    let path = file.to_str().unwrap();
    let mut from_file = command(&dir.path().join("a"), &["--token-file", path]);
    from_file.env("SELVEDGE_KV_TOKEN", "of-ours");
    let mut from_ours = command(&dir.path().join("b"), &[]);
    from_ours.env("SELVEDGE_KV_TOKEN", "of-ours").env("DENO_KV_ACCESS_TOKEN", "of-deno");
    let mut from_deno = command(&dir.path().join("c"), &[]);
    from_deno.env("DENO_KV_ACCESS_TOKEN", "of-deno");
    // Not a server without a token.
    let mut unreadable = command(&dir.path().join("d"), &[]);
    unreadable.env("SELVEDGE_KV_TOKEN", OsStr::from_bytes(b"secret\xff"));
    let output = unreadable.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("SELVEDGE_KV_TOKEN"), "{said}");
    for (mut command, token) in
        [(from_file, "of-the-file"), (from_ours, "of-ours"), (from_deno, "of-deno")]
    {
        let process = Process::spawn(&mut command);
        assert!(Client::connect(process.address, "/", token).is_ok());
        let mut client = Client::raw(process.address);
        client.token = "any".to_owned();
        let body = br#"{"supportedVersions":[3]}"#;
        assert_eq!(client.request("POST", "/", &[], body).unwrap().status, 401);
    }
}

/// Moments that no clock knows, and more connections than can be counted, were panics.
#[test]
fn numbers_as_large_as_can_be() {
    let dir = tempfile::tempdir().unwrap();
    let most = u64::MAX.to_string();
    let numbers = [
        "--body-bytes-max",
        "--request-bytes-max",
        "--answer-bytes-max",
        "--body-time",
        "--header-time",
        "--answer-time",
        "--shutdown-time",
        "--connections-max",
    ];
    let mut options = vec!["--sync", "normal", "--sync-every", &most];
    options.extend(numbers.iter().flat_map(|name| [*name, &most]));
    let process = Process::start(&dir.path().join("db"), &options);
    let mut client = process.client();
    client.set(b"k", b"v");
    assert_eq!(client.get(b"k").unwrap().value, b"v");
    drop(client);
    process.stop();
}

#[test]
fn what_cannot_be_served_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("db");
    let refused = |options: &[&str], token: Option<&str>| {
        let mut command = command(&db, options);
        token.map(|token| command.env("SELVEDGE_KV_TOKEN", token));
        let output = command.output().unwrap();
        assert!(!output.status.success(), "{options:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused(&["--token-file", "/nowhere"], None).contains("the token in /nowhere"));
    assert!(refused(&[], Some("")).contains("visible ASCII"));
    assert!(refused(&["--tls-cert", "/nowhere"], None).contains("--tls-key"));
    let process = Process::start(&db, &[]);
    assert!(refused(&[], None).contains("error: "), "another process has it open");
    drop(process);

    let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
    command.args(["serve", "--kv-connect", "0.0.0.0:0"]).arg(dir.path().join("other"));
    command.env_remove("SELVEDGE_KV_TOKEN").env_remove("DENO_KV_ACCESS_TOKEN");
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("without a token"), "{said}");
    assert!(!dir.path().join("other").exists(), "nothing was made");
}

#[test]
fn metrics_have_a_page_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let process = Process::start(&dir.path().join("db"), &["--metrics", "127.0.0.1:0"]);
    let mut client = process.client();
    client.set(b"k", b"v");
    client.get(b"k");
    client.request("GET", "/", &[], b"").unwrap();
    let page = process.said.iter().find_map(|line| line.strip_prefix("Metrics on http://"));
    let address = page.unwrap().trim_end().strip_suffix("/metrics").unwrap();
    let get = |path: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let page = get("/metrics");
    for line in [
        "kv_connect_requests_total{call=\"atomic_write\",outcome=\"answered\"} 1",
        "kv_connect_requests_total{call=\"snapshot_read\",outcome=\"answered\"} 1",
        "kv_connect_requests_total{call=\"metadata\",outcome=\"refused\"} 1",
        "kv_connect_connections 1",
        "kv_connect_request_seconds_bucket{call=\"atomic_write\",le=\"+Inf\"} 1",
        "selvedge_commits 1",
    ] {
        assert!(page.contains(line), "{line} is not in {page}");
    }
    assert!(get("/other").starts_with("HTTP/1.1 404"));
    // Who holds all its connections takes none from the clients.
    let held: Vec<_> = (0..64).map(|_| TcpStream::connect(address).unwrap()).collect();
    let mut beyond = TcpStream::connect(address).unwrap();
    beyond.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert!(matches!(beyond.read(&mut [0]), Ok(0)), "closed at once");
    assert!(process.client().get(b"k").is_some());
    drop(held);
}

/// What one writer was told: its last acknowledged number, and the stamps.
struct Told {
    writer: u8,
    acknowledged: u32,
    stamps: Vec<Vec<u8>>,
}

/// Writes one number after the other, each with a key of its own and one that counts,
/// until the server is gone.
fn write_on(address: SocketAddr, writer: u8, first: u32, stop: &AtomicBool) -> Told {
    let mut told = Told { writer, acknowledged: first, stamps: Vec::new() };
    let Ok(mut client) = Client::connect(address, "/", "any") else { return told };
    while !stop.load(Ordering::Relaxed) {
        let next = told.acknowledged + 1;
        let number = next.to_be_bytes();
        let mutations =
            vec![set(&[&[writer][..], &number].concat(), &number), set(&[writer], &number)];
        let write = pb::AtomicWrite { mutations, ..Default::default() };
        let Ok(answer) = client.write(&write) else { break };
        let output: pb::AtomicWriteOutput = answer.message();
        told.stamps.push(output.versionstamp);
        told.acknowledged = next;
    }
    told
}

/// Everything that was acknowledged is there, under the stamp that was told; of what
/// was under way either all or nothing.
fn verify(client: &mut Client, told: &Told, first: u32) -> u32 {
    for (number, stamp) in (first + 1..).zip(&told.stamps) {
        let key = [&[told.writer][..], &number.to_be_bytes()].concat();
        let entry = client.get(&key).expect("acknowledged");
        assert_eq!((entry.value, &entry.versionstamp), (number.to_be_bytes().to_vec(), stamp));
    }
    let newest = client.get(&[told.writer]);
    let newest =
        newest.map_or(0, |entry| u32::from_be_bytes(entry.value.try_into().expect("a number")));
    assert!([told.acknowledged, told.acknowledged + 1].contains(&newest), "{newest}");
    let key = |number: u32| [&[told.writer][..], &number.to_be_bytes()].concat();
    assert!(client.get(&key(newest + 1)).is_none(), "torn");
    assert!(newest == 0 || client.get(&key(newest)).is_some(), "torn");
    newest
}

#[test]
fn a_kill_loses_nothing_that_was_acknowledged() {
    const WRITERS: u8 = 8;
    let rounds = std::env::var("SELVEDGE_KILLS").map_or(5, |kills| kills.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let (mut firsts, mut newest_stamp, mut id) = (vec![0; WRITERS.into()], Vec::new(), None);
    let mut acknowledged = 0;
    for round in 0..rounds {
        let process = Process::start(&dir.path().join("db"), &["--sync", "full"]);
        let stop = AtomicBool::new(false);
        let told: Vec<Told> = std::thread::scope(|scope| {
            let address = process.address;
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| {
                    let (first, stop) = (firsts[usize::from(writer)], &stop);
                    scope.spawn(move || write_on(address, writer, first, stop))
                })
                .collect();
            std::thread::sleep(Duration::from_millis(fastrand::u64(100..500)));
            drop(process);
            stop.store(true, Ordering::Relaxed);
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        let stamps: Vec<&Vec<u8>> = told.iter().flat_map(|told| &told.stamps).collect();
        let distinct: std::collections::BTreeSet<_> = stamps.iter().collect();
        assert_eq!(distinct.len(), stamps.len(), "a stamp twice");
        assert!(stamps.iter().all(|stamp| **stamp > newest_stamp), "a stamp of an earlier life");
        acknowledged += stamps.len();
        newest_stamp = stamps.into_iter().max().cloned().unwrap_or(newest_stamp);

        let process = Process::start(&dir.path().join("db"), &[]);
        let mut client = process.client();
        assert_eq!(*id.get_or_insert(client.database.clone()), client.database);
        for told in &told {
            let first = &mut firsts[usize::from(told.writer)];
            *first = verify(&mut client, told, *first);
        }
        let stamp = client.set(b"\xffround", &[round as u8]);
        assert!(stamp > newest_stamp);
        newest_stamp = stamp;
    }
    assert!(acknowledged > 0);
    println!("{rounds} kills, {acknowledged} acknowledged writes, none lost");
}

//! Sessions of a web server that end by themselves.
//!
//! ```text
//! cargo run --release --example web_sessions
//! ```
//!
//! A session is a document under a token. Each request that carries the token prolongs
//! it; one that is left alone disappears, at the very millisecond, and a watcher is told.
//! The database is on disk: who has a session keeps it when the server restarts.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use selvedge::prelude::*;
use selvedge::{Kv, Selection, key};

const LIFE: Duration = Duration::from_millis(1500);

fn log_in(kv: &Kv, token: &str, user: &str) -> Result<(), Error> {
    kv.set_for(&key!["session", token], doc! { "user": user, "requests": 0 }, LIFE)
}

/// The user of a session, which lives on; `None` if there is no such session.
fn request(kv: &Kv, token: &str) -> Result<Option<String>, Error> {
    let key = key!["session", token];
    loop {
        let Some(session) = kv.get(&key)? else { return Ok(None) };
        let mut document = session.document()?.to_document();
        let user = document.get("user").and_then(|user| user.as_str()).map(String::from);
        let requests = document.get("requests").and_then(|requests| requests.as_i64());
        document.set("requests", requests.unwrap_or(0) + 1);
        // Two requests at once: the second one reads again.
        let prolonged =
            kv.atomic().check(&key, session.versionstamp()).set(&key, document).expire_in(LIFE);
        if prolonged.commit()?.is_committed() {
            return Ok(user);
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("sessions.selvedge");
    let db = Db::open(&path)?;
    let kv = db.keyspace("sessions")?;
    log_in(&kv, "t1", "alice")?;
    log_in(&kv, "t2", "bob")?;
    db.close()?;

    let db = Db::open(&path)?;
    let kv = db.keyspace("sessions")?;
    let mut bob = kv.watch([key!["session", "t2"]])?;
    assert!(bob.next().ok_or("closed")??[0].is_some(), "kept over the restart");
    for _ in 0..20 {
        assert_eq!(request(&kv, "t1")?.as_deref(), Some("alice"));
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(request(&kv, "t2")?, None, "left alone for longer than it lives");
    let gone = bob.next_within(Duration::from_secs(10))?.ok_or("the watcher was not told")?;
    assert!(gone[0].is_none());
    let sessions = kv.list(Selection::prefix(&key!["session"]))?;
    let requests = sessions[0].document()?.get("requests").and_then(|requests| requests.as_i64());
    assert_eq!((sessions.len(), requests), (1, Some(20)));
    println!("alice made 20 requests and is still there; bob's session has ended");
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

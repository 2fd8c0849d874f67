//! A session: one database, the actors of a script, and a step at a time.

mod reading;
mod state;
mod writing;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use selvedge::env::{Env, SimulatedClock};
use selvedge::{
    Background, Db, DbBuilder, Document, Isolation, Savepoint, Snapshot, Statistics, Transaction,
    TransactionOptions,
};

use crate::command::{Command, ScriptError};
use crate::names::{LABEL, Names};

/// Any number: scripts do not depend on it.
const SEED: u64 = 7;
/// Versions that one step of maintenance looks at.
const STEP_VERSIONS: usize = 1000;
/// Inserts of a transaction that only uses up ids: few enough to stay in a cache.
const SKIPPED_AT_ONCE: u64 = 4096;

enum Actor {
    Transaction(Box<Transaction<'static>>, BTreeMap<String, Savepoint>),
    Snapshot(Snapshot<'static>),
}

/// One database with the actors of a script.
pub struct Session {
    db: Db,
    clock: Arc<SimulatedClock>,
    actors: BTreeMap<String, Actor>,
    names: Names,
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

fn open(options: impl FnOnce(DbBuilder) -> DbBuilder) -> (Db, Arc<SimulatedClock>) {
    let (env, clock) = Env::simulated(SEED);
    // Away from 0, which is not told from a time that nobody noted.
    clock.advance(Duration::from_secs(1));
    let builder = Db::builder().background(Background::Manual).env(env);
    (options(builder).in_memory(), clock)
}

impl Session {
    /// A session with a new database.
    #[must_use]
    pub fn new() -> Self {
        let (db, clock) = open(|builder| builder);
        Self { db, clock, actors: BTreeMap::new(), names: Names::default() }
    }

    /// Runs a step and gives its output; what the database refuses is output,
    /// too.
    ///
    /// # Errors
    /// If the step is wrong.
    pub fn run(&mut self, command: &Command) -> Result<String, ScriptError> {
        let output = match &command.actor {
            None => self.on_database(command),
            Some(actor) => self.on_actor(actor, command),
        };
        match output {
            Err(ScriptError::Refused(error)) => Ok(self.names.refusal(&error)),
            output => output,
        }
    }

    /// Ends the actors. Then nothing is retained, open or reserved, and all ways
    /// to read the database agree.
    ///
    /// # Errors
    /// If something is left.
    pub fn finish(mut self) -> Result<(), ScriptError> {
        self.actors.clear();
        while self.db.step(STEP_VERSIONS) {}
        let Statistics {
            chains_retained,
            versions_retained,
            bytes_retained,
            snapshots_open,
            names_reserved,
            ..
        } = self.db.statistics();
        let left =
            [chains_retained, versions_retained, bytes_retained, snapshots_open, names_reserved];
        if left != [0; 5] {
            let what = "chains, versions, bytes, snapshots, names";
            return Err(ScriptError::wrong(format!("left behind ({what}): {left:?}")));
        }
        state::tell(&self.db.snapshot()?, &self.names).map(drop)
    }

    /// A step without an actor: about the database, or a transaction of its own.
    fn on_database(&mut self, command: &Command) -> Result<String, ScriptError> {
        match &*command.verb {
            "open" => self.reopen(command),
            "stats" => reading::statistics(&self.db.statistics(), command),
            "step" => {
                while self.db.step(STEP_VERSIONS) {}
                Ok("ok".into())
            }
            "advance" => {
                let seconds = command.word(0, "seconds")?.parse();
                let seconds = seconds.map_err(|_| ScriptError::wrong("not a number of seconds"))?;
                self.clock.advance(Duration::from_secs(seconds));
                Ok("ok".into())
            }
            "skip_ids" => self.skip_ids(command),
            "fails" => self.closure(&command.inner()?, || Err(ScriptError::Abandoned)),
            "panics" => self.closure(&command.inner()?, || resume_unwind(Box::new("on purpose"))),
            _ => self.alone(command),
        }
    }

    /// A read or write as a transaction of its own.
    fn alone(&mut self, command: &Command) -> Result<String, ScriptError> {
        // The snapshot ends here: a write that follows finds nothing open.
        let read = reading::run(&self.db.snapshot()?, &self.names, command)?;
        if let Some(output) = read {
            return Ok(output);
        }
        let output = self.closure(command, || Ok(()))?;
        Ok(format!("{output} {}", self.db.timestamp()))
    }

    fn reopen(&mut self, command: &Command) -> Result<String, ScriptError> {
        let first = command.option("first_node_id").map_or(Ok(1), str::parse);
        let first = first.map_err(|_| ScriptError::wrong("not an id"))?;
        self.actors.clear();
        self.names = Names::default();
        (self.db, self.clock) = open(|builder| builder.first_node_id(first));
        Ok("ok".into())
    }

    /// Uses up ids of nodes: whoever inserts and rolls back does.
    fn skip_ids(&self, command: &Command) -> Result<String, ScriptError> {
        let count = command.word(0, "a number of ids")?.parse();
        let mut left: u64 = count.map_err(|_| ScriptError::wrong("not a number of ids"))?;
        while left > 0 {
            let now = left.min(SKIPPED_AT_ONCE);
            let mut transaction = self.db.begin(&TransactionOptions::new())?;
            for _ in 0..now {
                transaction.insert_node(LABEL, None, Document::new())?;
            }
            transaction.rollback();
            left -= now;
        }
        Ok("ok".into())
    }

    /// Runs a write in a transaction's closure, which ends with `end`.
    fn closure(
        &mut self,
        command: &Command,
        end: impl FnOnce() -> Result<(), ScriptError>,
    ) -> Result<String, ScriptError> {
        let Self { db, names, .. } = self;
        let run = || {
            db.transaction(|ctx| {
                let output = writing::run(ctx, names, command)?;
                end()?;
                output.ok_or_else(|| unknown(command))
            })
        };
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(Err(ScriptError::Abandoned)) => Ok("rolled back".into()),
            Ok(output) => output,
            Err(panic) if panic.is::<&str>() => Ok("panicked, rolled back".into()),
            Err(panic) => resume_unwind(panic),
        }
    }

    fn on_actor(&mut self, name: &str, command: &Command) -> Result<String, ScriptError> {
        match &*command.verb {
            "begin" | "snapshot" => self.begin(name, command),
            "commit" => match self.end(name)? {
                Actor::Transaction(transaction, _) => Ok(format!("ok {}", transaction.commit()?)),
                Actor::Snapshot(_) => Err(ScriptError::wrong("a snapshot has nothing to commit")),
            },
            "rollback" => match self.end(name)? {
                Actor::Transaction(transaction, _) => {
                    transaction.rollback();
                    Ok("ok".into())
                }
                Actor::Snapshot(_) => Err(ScriptError::wrong("a snapshot has nothing to undo")),
            },
            "drop" => {
                drop(self.end(name)?);
                Ok("ok".into())
            }
            _ => self.work(name, command),
        }
    }

    fn begin(&mut self, name: &str, command: &Command) -> Result<String, ScriptError> {
        if self.actors.contains_key(name) {
            return Err(ScriptError::wrong(format!("{name} has not ended")));
        }
        let label = command.option("label");
        let actor = if command.verb == "snapshot" {
            let snapshot = match label {
                Some(label) => self.db.snapshot_labelled(label)?,
                None => self.db.snapshot()?,
            };
            Actor::Snapshot(snapshot)
        } else {
            let isolation = match command.plain(0).next() {
                None => Isolation::Snapshot,
                Some("serializable") => Isolation::Serializable,
                Some(other) => return Err(ScriptError::wrong(format!("no isolation {other:?}"))),
            };
            let options = TransactionOptions::new().isolation(isolation);
            let options = match label {
                Some(label) => options.label(label),
                None => options,
            };
            Actor::Transaction(Box::new(self.db.begin(&options)?), BTreeMap::new())
        };
        let started = reading::timestamp(&actor);
        self.actors.insert(name.to_owned(), actor);
        Ok(format!("ok {started}"))
    }

    fn end(&mut self, name: &str) -> Result<Actor, ScriptError> {
        self.actors.remove(name).ok_or_else(|| nobody(name))
    }

    /// A step of an actor that goes on.
    fn work(&mut self, name: &str, command: &Command) -> Result<String, ScriptError> {
        let Self { actors, names, .. } = self;
        let output = match actors.get_mut(name).ok_or_else(|| nobody(name))? {
            Actor::Snapshot(snapshot) => reading::run(snapshot, names, command)?,
            Actor::Transaction(transaction, savepoints) => {
                match reading::run(&**transaction, names, command)? {
                    Some(output) => Some(output),
                    None => match writing::savepoint(transaction, savepoints, command)? {
                        Some(output) => Some(output),
                        None => writing::run(transaction, names, command)?,
                    },
                }
            }
        };
        output.ok_or_else(|| unknown(command))
    }
}

fn nobody(name: &str) -> ScriptError {
    ScriptError::wrong(format!("{name} has not begun, or has ended"))
}

fn unknown(command: &Command) -> ScriptError {
    ScriptError::wrong(format!("no verb {:?} here", command.verb))
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("db", &self.db).finish_non_exhaustive()
    }
}

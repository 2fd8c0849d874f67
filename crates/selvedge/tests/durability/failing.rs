//! A fixed script, in which every single operation on files goes wrong once, in every
//! way.

use selvedge::env::{Fault, Operation, OperationKind};
use selvedge::prelude::*;
use selvedge::{ErrorKind, Result};

use crate::machine::Machine;
use crate::state::State;

/// A machine, and the database while it is open.
struct Life {
    machine: Machine,
    db: Option<Db>,
}

impl Life {
    fn begin() -> Self {
        Self { machine: Machine::new(3), db: None }
    }

    fn db(&self) -> &Db {
        self.db.as_ref().expect("the script opens it first")
    }

    fn do_step(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Open => self.db = Some(self.machine.open()?),
            Step::Commit(commit) => commit(self.db())?,
            Step::Checkpoint => drop(self.db().checkpoint()?),
            Step::Tick => drop(self.db().step(100)),
            Step::Close => self.db.take().expect("open").close()?,
            Step::Drop => drop(self.db.take()),
        }
        Ok(())
    }
}

#[derive(Debug)]
enum Step {
    Open,
    Commit(fn(&Db) -> Result<()>),
    Checkpoint,
    /// Background maintenance, by hand.
    Tick,
    Close,
    Drop,
}

/// Long enough to lie in a place of its own in a data file.
fn long(text: &str) -> String {
    text.repeat(90)
}

fn id(reader: &impl Read, key: &str) -> Result<NodeId> {
    Ok(reader.get_node("User", key)?.expect("the script inserts it first").id())
}

const SCRIPT: &[Step] = &[
    Step::Open,
    Step::Commit(|db| db.define_edge_type("PAID", EdgeTypeDef::multi().from("User").to("User"))),
    Step::Commit(|db| {
        db.transaction(|ctx| {
            for (n, key) in ["ann", "ben", "cid", "dan"].into_iter().enumerate() {
                ctx.insert_node("User", key, doc! { "n": n as i64, "text": long(key) })?;
            }
            let (ann, ben) = (id(ctx, "ann")?, id(ctx, "ben")?);
            ctx.link_nodes(ann, "KNOWS", ben, doc! { "since": 1 })?;
            ctx.link_nodes(ben, "KNOWS", ann, doc! {})?;
            ctx.link_nodes(ann, "PAID", ben, doc! { "text": long("paid") })?;
            ctx.link_nodes(ann, "PAID", ben, doc! { "amount": 2 })?;
            Ok(())
        })
    }),
    Step::Commit(|db| db.set(id(&db.snapshot()?, "cid")?, "n", 20)),
    Step::Checkpoint,
    Step::Commit(|db| db.insert_node("Event", "first", doc! { "what": "login" }).map(drop)),
    Step::Commit(|db| db.delete_node(id(&db.snapshot()?, "ben")?).map(drop)),
    Step::Tick,
    Step::Tick,
    Step::Commit(|db| {
        let ann = id(&db.snapshot()?, "ann")?;
        db.batch([
            Op::set(ann, "text", long("new")),
            Op::upsert_node("User", "eve", doc! { "text": long("eve") }),
            Op::link_nodes(ann, "KNOWS", ("User", "eve"), doc! { "since": 3 }),
        ])?;
        Ok(())
    }),
    Step::Checkpoint,
    // Larger than a segment.
    Step::Commit(|db| db.insert_node("Event", "big", doc! { "text": "b".repeat(9_000) }).map(drop)),
    Step::Close,
    Step::Open,
    Step::Commit(|db| db.insert_node("User", "fay", doc! { "n": 7 }).map(drop)),
    Step::Checkpoint,
    Step::Commit(|db| db.unset(id(&db.snapshot()?, "fay")?, "n").map(drop)),
    Step::Drop,
    Step::Open,
    Step::Commit(|db| {
        let snapshot = db.snapshot()?;
        db.unlink_nodes(id(&snapshot, "ann")?, "KNOWS", id(&snapshot, "eve")?).map(drop)
    }),
];

/// What is there after so many steps, when nothing goes wrong; and the operations that it
/// takes.
fn run_through() -> Result<(Vec<State>, Vec<Operation>)> {
    let mut life = Life::begin();
    let mut states = vec![State::default()];
    for step in SCRIPT {
        life.do_step(step)?;
        let state = life.db.as_ref().map(|db| State::of(&db.snapshot()?)).transpose()?;
        states.push(state.unwrap_or_else(|| states.last().cloned().unwrap_or_default()));
    }
    Ok((states, life.machine.0.operations()))
}

/// Runs the script until a step fails; gives its place, and why.
fn run_until_failure(life: &mut Life) -> Option<(usize, Error)> {
    SCRIPT.iter().enumerate().find_map(|(at, step)| Some((at, life.do_step(step).err()?)))
}

/// After the machine or process went down in step `at`, another process finds what was
/// acknowledged, perhaps with the step, and works.
fn expect_one_of(life: &mut Life, states: &[State], at: usize, what: &str) -> Result<()> {
    life.db = None;
    let db = life.machine.open()?;
    let found = State::checked(&db)?;
    assert!(
        found == states[at] || states.get(at + 1).is_some_and(|next| found == *next),
        "{what}: neither {:#?} nor what step {at} makes of it, but {found:#?}",
        states[at],
    );
    let after = db.insert_node("After", "after", doc! {})?;
    let found = State::checked(&db)?;
    let db = life.machine.crash_and_open(db)?;
    assert_eq!(State::checked(&db)?, found, "{what}, and a commit, and a crash");
    assert!(db.snapshot()?.contains(after)?);
    Ok(())
}

fn faults_end_the_process(fault: Fault) -> Result<()> {
    let (states, operations) = run_through()?;
    for number in 0..operations.len() as u64 {
        let mut life = Life::begin();
        life.machine.0.plan(number, fault);
        // Dropping tells nobody.
        let at = run_until_failure(&mut life).map_or(SCRIPT.len(), |(at, _)| at);
        let at = if life.machine.0.down().is_some() || at < SCRIPT.len() { at } else { continue };
        life.machine.0.recover();
        expect_one_of(&mut life, &states, at, &format!("{fault:?} of operation {number}"))?;
    }
    Ok(())
}

/// Every acknowledged commit survives a power cut in the midst of any operation.
#[test]
fn a_crash_at_every_operation_loses_nothing_acknowledged() {
    faults_end_the_process(Fault::Crash).unwrap();
}

/// Every acknowledged commit survives the end of the process in any operation.
#[test]
fn a_kill_at_every_operation_loses_nothing_acknowledged() {
    faults_end_the_process(Fault::Kill).unwrap();
}

/// Whether a fault can hit an operation, in a way of its own.
fn may_fail(operation: &Operation, fault: Fault) -> bool {
    match fault {
        Fault::ShortWrite => operation.kind == OperationKind::Write,
        Fault::Full => operation.kind.is_change(),
        _ => true,
    }
}

/// What is shown, and possible, right after a step failed in a process that goes on.
fn expect_usable(life: &Life, before: &State, error: &Error, what: &str) -> Result<()> {
    let Some(db) = &life.db else { return Ok(()) };
    let shown = State::of(&db.snapshot()?)?;
    assert_eq!(shown, *before, "{what}: new snapshots see what is surely there");
    match error.kind() {
        ErrorKind::Reopen => {
            let refused =
                db.insert_node("User", "no", doc! {}).expect_err("nothing is written now");
            assert_eq!(refused.kind(), ErrorKind::Reopen, "{what}: {refused}");
            db.reopen()
        }
        ErrorKind::System => Ok(()),
        kind => panic!("{what}: {kind:?}: {error}"),
    }
}

/// A failure that the process survives: it is told, nothing acknowledged is lost, and
/// after a reopen, if that is what the error asks for, the rest of the script succeeds.
fn faults_are_survived(fault: Fault, crashes: bool) -> Result<()> {
    let (states, operations) = run_through()?;
    let last = states.last().expect("there are steps").names();
    let mut failed = 0;
    for Operation { number, .. } in operations.iter().filter(|one| may_fail(one, fault)) {
        let what = format!("{fault:?} of operation {number}");
        let mut life = Life::begin();
        life.machine.0.plan(*number, fault);
        let Some((at, error)) = run_until_failure(&mut life) else {
            // Nobody had to know: a file was to be removed, or made ahead.
            assert_eq!(State::checked(life.db())?.names(), last, "{what}");
            let db = life.machine.crash_and_open(life.db.take().expect("open"))?;
            assert_eq!(State::checked(&db)?.names(), last, "{what}, and a crash");
            continue;
        };
        failed += 1;
        let what = format!("{what}, in step {at}: {error}");
        expect_usable(&life, &states[at], &error, &what)?;
        if crashes {
            life.machine.0.crash();
            expect_one_of(&mut life, &states, at, &what)?;
            continue;
        }
        let applied = match &life.db {
            Some(db) => State::checked(db)?.names() == states[at + 1].names(),
            // What could not be closed, or opened, is opened.
            None => {
                life.db = Some(life.machine.open()?);
                true
            }
        };
        let rest = &SCRIPT[if applied { at + 1 } else { at }..];
        for step in rest {
            if !(matches!(step, Step::Open) && life.db.is_some()) {
                life.do_step(step)?;
            }
        }
        assert_eq!(State::checked(life.db())?.names(), last, "{what}, and on");
        let db = life.machine.crash_and_open(life.db.take().expect("open"))?;
        assert_eq!(State::checked(&db)?.names(), last, "{what}, and on, and a crash");
    }
    println!("{fault:?}: {failed} of {} operations made a step fail", operations.len());
    assert!(failed > 0);
    Ok(())
}

/// Any operation fails, a sync included: told, survived, and mended by a reopen.
#[test]
fn an_error_of_every_operation_is_survived() {
    faults_are_survived(Fault::Io, false).unwrap();
}

/// Any operation fails, and then the machine loses power.
#[test]
fn an_error_of_every_operation_and_then_a_crash() {
    faults_are_survived(Fault::Io, true).unwrap();
}

/// The disk is full for any one operation: survived, most of the time without a reopen.
#[test]
fn no_space_for_every_operation_is_survived() {
    faults_are_survived(Fault::Full, false).unwrap();
}

/// Any write is cut short.
#[test]
fn a_short_write_at_every_operation_is_survived() {
    faults_are_survived(Fault::ShortWrite, false).unwrap();
    faults_are_survived(Fault::ShortWrite, true).unwrap();
}

/// The script does what the others take for granted: it meets every kind of operation.
#[test]
fn the_script_meets_every_kind_of_operation() {
    let mut life = Life::begin();
    assert!(run_until_failure(&mut life).is_none());
    use OperationKind::{
        Create, CreateDir, Len, List, Lock, Map, Open, Read, Remove, Rename, SetLen, Sync, SyncDir,
        Write,
    };
    let all =
        [CreateDir, List, Create, Open, Rename, Remove, SyncDir, Lock, Len, Read, Write, Sync, Map];
    for kind in all {
        assert!(life.machine.operations(kind) > 0, "{kind:?}");
    }
    assert_eq!(life.machine.operations(SetLen), 0, "nothing sets lengths");
}

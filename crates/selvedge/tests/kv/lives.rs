//! Lives of a queue and of entries that expire, on a disk that crashes: drawn by a
//! seed, step by step beside a list of what was told.
//!
//! - A message that was acknowledged is delivered until it is finished or dead, never
//!   before its time, and tells how often it has failed; one that is finished or dead
//!   never comes again; a dead one is written down, and no other is.
//! - An entry is there until it expires, and never after, whatever the clock of the
//!   machine does when the database is opened again.
//!
//! What a crash interrupts may have happened or not.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use selvedge::env::{Env, Fault, SimulatedClock, SimulatedFiles};
use selvedge::prelude::*;
use selvedge::{Background, Delivery, Key, Message, key};

const LIVES: u64 = 40;
const STEPS: usize = 120;
const ENTRIES: u64 = 6;
const RETRIES: u64 = 2;
const BACKOFF: Duration = Duration::from_millis(300);
/// File operations within which a planned crash comes; mostly it comes too late.
const OPERATIONS: u64 = 12;

/// What may be so.
#[derive(Clone, Debug)]
struct Sent {
    /// It was acknowledged.
    surely: bool,
    /// From when on it may come.
    due: u64,
    failures: RangeInclusive<u64>,
    /// It may have ended, and surely has: finished, or dead.
    ended: (bool, bool),
    /// It may be written down, and surely is.
    dead: (bool, bool),
}

/// What an entry may be, and when that expires; 0: it stays.
type Stored = Option<(u64, u64)>;

struct Life {
    rng: Rng,
    files: SimulatedFiles,
    db: Db,
    clock: Arc<SimulatedClock>,
    /// Time that the clock shows, in milliseconds, and the most that it ever has.
    now: u64,
    latest: u64,
    /// The database is at this time, at least: it was told so by a commit.
    floor: u64,
    sent: Vec<Sent>,
    taken: Vec<(u64, Delivery)>,
    /// Each is one of these.
    entries: BTreeMap<u64, Vec<Stored>>,
}

fn open(files: &SimulatedFiles, now: u64) -> (Db, Arc<SimulatedClock>) {
    let (env, clock) = Env::simulated_on(files, 7);
    clock.advance(Duration::from_millis(now));
    let builder = Db::builder().env(env).background(Background::Manual);
    let builder = builder.log_segment_bytes(16 << 10);
    (builder.open(Path::new("db")).expect("it opens again"), clock)
}

fn dead_key(number: u64) -> Key {
    key!["dead", number as i64]
}

impl Life {
    fn new(seed: u64) -> Self {
        let files = SimulatedFiles::new(seed);
        let now = 1_000_000;
        let (db, clock) = open(&files, now);
        let (sent, taken, entries) = Default::default();
        let (latest, floor, rng) = (now, 0, Rng::with_seed(seed));
        Self { rng, files, db, clock, now, latest, floor, sent, taken, entries }
    }

    /// Whether something that was tried is done: None if nobody knows.
    fn outcome(&mut self, done: selvedge::Result<()>) -> Option<bool> {
        match done {
            Ok(()) => {
                self.floor = self.floor.max(self.now);
                Some(true)
            }
            Err(_) if self.files.down().is_some() => None,
            Err(error) => panic!("{error}"),
        }
    }

    fn step(&mut self) {
        if self.rng.u8(..6) == 0 {
            let number = self.files.operation_count() + self.rng.u64(..OPERATIONS);
            self.files.plan(number, if self.rng.bool() { Fault::Crash } else { Fault::Kill });
        }
        match self.rng.u8(..20) {
            0..4 => self.send(),
            4..8 => self.take(),
            8..11 => self.finish(),
            11..14 => self.fail(),
            14..17 => self.set(),
            17..19 => self.pass(),
            _ if self.rng.bool() => drop(self.db.checkpoint()),
            _ => self.files.plan(self.files.operation_count(), Fault::Crash),
        }
        self.look();
        if self.files.down().is_some() || self.rng.u8(..25) == 0 {
            self.begin_again();
        }
        self.files.clear_faults();
    }

    fn send(&mut self) {
        let number = self.sent.len() as u64;
        let delay = self.rng.u64(..3) * 200;
        let message = Message::new(number)
            .delay(Duration::from_millis(delay))
            .backoff([BACKOFF; RETRIES as usize])
            .if_undelivered(dead_key(number));
        let done = self.db.kv().enqueue(message);
        let surely = self.outcome(done).is_some();
        let due = self.floor.max(self.now) + delay;
        let (failures, no) = (0..=0, (false, false));
        self.sent.push(Sent { surely, due, failures, ended: no, dead: no });
    }

    fn take(&mut self) {
        let Ok(taken) = self.db.kv().dequeue() else {
            return assert!(self.files.down().is_some());
        };
        let Some(delivery) = taken else { return };
        let number = match delivery.value().expect("a number") {
            selvedge::KvValue::U64(number) => number,
            other => panic!("{other:?}"),
        };
        let upper = self.latest.max(self.now);
        let sent = &mut self.sent[number as usize];
        assert!(!sent.ended.1, "message {number} comes again: {sent:?}");
        assert!(sent.failures.contains(&delivery.failures()), "{sent:?}, {delivery:?}");
        assert!(sent.due <= upper, "before its time: {sent:?} at {upper}");
        let double = self.taken.iter().any(|(other, _)| *other == number);
        assert!(!double, "message {number} is being worked on");
        // Now it is known.
        sent.failures = delivery.failures()..=delivery.failures();
        (sent.surely, sent.ended, sent.dead) = (true, (false, false), (false, false));
        self.taken.push((number, delivery));
    }

    fn any_taken(&mut self) -> Option<(u64, Delivery)> {
        let count = self.taken.len();
        (count > 0).then(|| self.taken.swap_remove(self.rng.usize(..count)))
    }

    fn finish(&mut self) {
        let Some((number, delivery)) = self.any_taken() else { return };
        let done = delivery.finish();
        let surely = self.outcome(done).is_some();
        self.sent[number as usize].ended = (true, surely);
    }

    fn fail(&mut self) {
        let Some((number, delivery)) = self.any_taken() else { return };
        self.fail_one(number, delivery);
    }

    fn fail_one(&mut self, number: u64, delivery: Delivery) {
        let failures = delivery.failures();
        let done = delivery.fail();
        let surely = self.outcome(done).is_some();
        let due = self.floor.max(self.now);
        let sent = &mut self.sent[number as usize];
        if failures == RETRIES {
            (sent.ended, sent.dead) = ((true, surely), (true, surely));
        } else {
            let least = if surely { failures + 1 } else { failures };
            sent.failures = least..=failures + 1;
            if surely {
                sent.due = due + BACKOFF.as_millis() as u64;
            }
        }
    }

    fn set(&mut self) {
        let (number, time) = (self.rng.u64(..ENTRIES), self.rng.u64(..4) * 150);
        let value = self.rng.u64(..);
        let until = if time == 0 { 0 } else { self.now + time };
        let kv = self.db.kv();
        let atomic = kv.atomic().set(&key![number as i64], value);
        let atomic = if time == 0 { atomic } else { atomic.expire_at(until) };
        let done = atomic.commit().map(drop);
        let surely = self.outcome(done).is_some();
        let states = self.entries.entry(number).or_insert_with(|| vec![None]);
        if surely {
            states.clear();
        }
        states.push(Some((value, until)));
    }

    fn pass(&mut self) {
        let time = self.rng.u64(1..400);
        self.clock.advance(Duration::from_millis(time));
        self.now += time;
        self.latest = self.latest.max(self.now);
        // Removes what has expired.
        let _ = self.db.step(100);
    }

    /// Each entry is what it may be at a time that it may be.
    fn look(&mut self) {
        let Ok(snapshot) = self.db.snapshot() else {
            return assert!(self.files.down().is_some());
        };
        let times = self.floor.max(self.now)..=self.latest;
        for (number, states) in &self.entries {
            let found = snapshot.kv().get(&key![*number as i64]).expect("numbers only");
            let found = found.map(|entry| entry.number().expect("a number"));
            let permits = |state: &Stored| match state {
                Some((value, 0)) => found == Some(*value),
                Some((value, until)) => {
                    found == Some(*value) && times.start() < until
                        || found.is_none() && times.end() >= until
                }
                None => found.is_none(),
            };
            assert!(
                states.iter().any(permits),
                "entry {number} is {found:?} at {times:?}, and should be of {states:?}"
            );
        }
        for (number, sent) in self.sent.iter().enumerate() {
            let key = dead_key(number as u64);
            let is_dead = snapshot.kv().get(&key).expect("reads").is_some();
            let (may, must) = sent.dead;
            assert!(is_dead && may || !is_dead && !must, "{number}: {is_dead}, {sent:?}");
        }
    }

    /// The database ends, well or not, and is opened again, by a clock that may show
    /// an earlier time.
    fn begin_again(&mut self) {
        let crashed = self.files.down().is_some() || self.rng.bool();
        self.files.clear_faults();
        if crashed {
            match self.rng.bool() {
                true => self.files.crash(),
                false => self.files.kill(),
            }
            // What was being worked on comes again, and is told nothing.
            self.taken.clear();
        } else {
            for (number, delivery) in std::mem::take(&mut self.taken) {
                self.fail_one(number, delivery);
            }
        }
        self.now = self.now.saturating_sub(500) + self.rng.u64(..1000);
        self.latest = self.latest.max(self.now);
        let db = std::mem::replace(&mut self.db, Db::in_memory());
        if !crashed && self.rng.bool() {
            db.close().expect("nothing goes wrong");
        } else {
            drop(db);
        }
        (self.db, self.clock) = open(&self.files, self.now);
        self.look();
    }

    /// Everything that is to come comes.
    fn end(mut self) {
        self.files.clear_faults();
        for (number, delivery) in std::mem::take(&mut self.taken) {
            self.fail_one(number, delivery);
        }
        self.clock.advance(Duration::from_secs(100));
        self.now += 100_000;
        self.latest = self.latest.max(self.now);
        loop {
            self.take();
            if self.taken.is_empty() {
                break;
            }
            self.finish();
        }
        self.look();
        for (number, sent) in self.sent.iter().enumerate() {
            assert!(sent.ended.0 || !sent.surely, "message {number} is lost: {sent:?}");
        }
        assert_eq!(self.db.check().expect("few snapshots"), [""; 0]);
    }
}

#[test]
fn nothing_is_lost_and_nothing_comes_back() {
    let first = std::env::var("SELVEDGE_SEED").ok().and_then(|seed| seed.parse().ok());
    let (first, lives) = first.map_or((fastrand::u64(..1 << 40), LIVES), |seed: u64| (seed, 1));
    for seed in first..first + lives {
        println!("again: SELVEDGE_SEED={seed}");
        let mut life = Life::new(seed);
        (0..STEPS).for_each(|_| life.step());
        life.end();
    }
}

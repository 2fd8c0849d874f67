//! What a commit does, as a function of its thread and sequence alone: so whoever
//! knows the last sequence of each thread knows the whole database.
//!
//! Commit `s` of thread `t`, in one transaction:
//! - the journal of `t` goes from `s - 1` to `s`, the counter shared by all up by 1;
//! - an entry `t-s` is inserted, with bytes of its own, most of them few;
//! - money moves from one account to another; the entry is linked to both;
//! - the entry before is linked to it, and the link before that is marked;
//! - the entry [`MARKED_AFTER`] before is marked, the one [`UNLINKED_AFTER`] before
//!   loses the link to the payer, the one [`KEPT`] before is deleted;
//! - now and then a node with a label of its own stays for ever.

use selvedge::prelude::*;

use crate::failure::{Failure, Result};

/// Threads that commit.
pub(crate) const THREADS: usize = 5;
/// The one that never waits for the disk.
pub(crate) const UNSYNCED_THREAD: usize = THREADS - 1;
/// The last sequence of each thread; 0 before the first.
pub(crate) type Lasts = [u64; THREADS];

const ACCOUNTS: usize = 32;
/// What every account starts with.
const BALANCE: i64 = 1000;

/// Entries of a thread that stay.
pub(crate) const KEPT: u64 = 100;
const MARKED_AFTER: u64 = 3;
const UNLINKED_AFTER: u64 = 50;
const MILESTONE_EVERY: u64 = 64;

const JOURNAL: &str = "Journal";
const COUNTER: &str = "Counter";
const ACCOUNT: &str = "Account";
const ENTRY: &str = "Entry";
const NEXT: &str = "NEXT";
const TOUCHES: &str = "TOUCHES";

/// What one commit does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    thread: usize,
    sequence: u64,
    payer: usize,
    payee: usize,
    amount: i64,
    bytes: usize,
    bytes_seed: u64,
}

impl Step {
    /// The commit of a thread with this sequence, from 1 on.
    pub(crate) fn new(thread: usize, sequence: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(sequence << 8 | thread as u64);
        let payer = random.usize(..ACCOUNTS);
        let payee = (payer + random.usize(1..ACCOUNTS)) % ACCOUNTS;
        let bytes = match random.u8(..) {
            // Longer than a segment of the log, more often than not.
            0..4 => random.usize(65 << 10..200 << 10),
            4..20 => random.usize(1 << 10..16 << 10),
            _ => random.usize(..300),
        };
        let (amount, bytes_seed) = (random.i64(1..100), random.u64(..));
        Self { thread, sequence, payer, payee, amount, bytes, bytes_seed }
    }

    fn key(&self) -> String {
        entry_key(self.thread, self.sequence)
    }

    /// The document of the entry once the thread has come to `last`.
    fn document(&self, last: u64) -> Document {
        let mut bytes = vec![0; self.bytes];
        fastrand::Rng::with_seed(self.bytes_seed).fill(&mut bytes);
        let mut document = doc! {
            "thread": self.thread as i64,
            "sequence": self.sequence as i64,
            "bytes": Value::Bytes(bytes),
        };
        if last - self.sequence >= MARKED_AFTER {
            document.set("marked", (self.sequence + MARKED_AFTER) as i64);
        }
        document
    }

    /// Stages the commit; gives the node that it inserts.
    pub(crate) fn stage(&self, ctx: &mut Transaction<'_>) -> Result<NodeId> {
        let Self { thread, sequence, .. } = *self;
        let journal = expect_node(ctx, JOURNAL, &thread.to_string())?;
        let last = number(ctx, journal, "last")?;
        if last + 1 != sequence as i64 {
            let what = format!("the journal of thread {thread} is at {last} before {sequence}");
            return Err(Failure::Broken(what));
        }
        ctx.set(journal, "last", sequence as i64)?;
        let counter = expect_node(ctx, COUNTER, "all")?;
        let commits = number(ctx, counter, "commits")?;
        ctx.set(counter, "commits", commits + 1)?;

        let entry = ctx.insert_node(ENTRY, self.key().as_str(), self.document(sequence))?;
        for (account, amount) in [(self.payer, -self.amount), (self.payee, self.amount)] {
            let account = expect_node(ctx, ACCOUNT, &account.to_string())?;
            let balance = number(ctx, account, "balance")?;
            ctx.set(account, "balance", balance + amount)?;
            ctx.link_nodes(entry, TOUCHES, account, doc! { "amount": amount })?;
        }
        self.stage_older(ctx, entry)?;
        if sequence.is_multiple_of(MILESTONE_EVERY) {
            let label = milestone_label(thread, sequence);
            ctx.insert_node(&label, "m", doc! { "sequence": sequence as i64 })?;
        }
        Ok(entry)
    }

    /// What the commit does to entries of earlier ones.
    fn stage_older(&self, ctx: &mut Transaction<'_>, entry: NodeId) -> Result<()> {
        let Self { thread, sequence, .. } = *self;
        let older = |ctx: &Transaction<'_>, age: u64| {
            let older = sequence.checked_sub(age).filter(|older| *older > 0);
            older.map(|older| expect_node(ctx, ENTRY, &entry_key(thread, older))).transpose()
        };
        if let Some(before) = older(ctx, 1)? {
            ctx.link_nodes(before, NEXT, entry, doc! { "sequence": sequence as i64 })?;
            if let Some(first) = older(ctx, 2)? {
                let edge = ctx.edge(first, NEXT, before)?.map(|edge| edge.edge());
                let edge = edge.ok_or_else(|| broken("a link is missing", thread, sequence))?;
                ctx.set_edge(edge, doc! { "followed": sequence as i64 })?;
            }
        }
        if let Some(node) = older(ctx, MARKED_AFTER)? {
            ctx.set(node, "marked", sequence as i64)?;
        }
        if let Some(node) = older(ctx, UNLINKED_AFTER)? {
            let payer = Self::new(thread, sequence - UNLINKED_AFTER).payer;
            let payer = expect_node(ctx, ACCOUNT, &payer.to_string())?;
            if ctx.unlink_nodes(node, TOUCHES, payer)? != 1 {
                return Err(broken("the link to the payer is missing", thread, sequence));
            }
        }
        if let Some(node) = older(ctx, KEPT)? {
            // To the payee, and to the entry behind it.
            if ctx.delete_node(node)? != 2 {
                return Err(broken("an entry had not two edges", thread, sequence));
            }
        }
        Ok(())
    }
}

fn broken(what: &str, thread: usize, sequence: u64) -> Failure {
    Failure::Broken(format!("{what}, for commit {sequence} of thread {thread}"))
}

fn entry_key(thread: usize, sequence: u64) -> String {
    format!("{thread}-{sequence}")
}

fn milestone_label(thread: usize, sequence: u64) -> String {
    format!("Milestone{thread}-{sequence}")
}

fn expect_node<R: Read>(reader: &R, label: &str, key: &str) -> Result<NodeId> {
    let node = reader.get_node(label, key)?.map(|node| node.id());
    node.ok_or_else(|| Failure::Broken(format!("{label} {key} is missing")))
}

fn number<R: Read>(reader: &R, node: NodeId, field: &str) -> Result<i64> {
    let found = reader.node(node)?.and_then(|node| node.get(field)?.as_i64());
    found.ok_or_else(|| Failure::Broken(format!("node {node} has no number {field}")))
}

/// Makes what the first commits need, unless it is there.
pub(crate) fn prepare(db: &Db) -> Result<()> {
    db.transaction(|ctx| {
        if ctx.get_node(COUNTER, "all")?.is_some() {
            return Ok(());
        }
        ctx.define_edge_type(NEXT, EdgeTypeDef::unique().from(ENTRY).to(ENTRY))?;
        ctx.define_edge_type(TOUCHES, EdgeTypeDef::multi().from(ENTRY).to(ACCOUNT))?;
        ctx.insert_node(COUNTER, "all", doc! { "commits": 0 })?;
        for thread in 0..THREADS {
            ctx.insert_node(JOURNAL, thread.to_string().as_str(), doc! { "last": 0 })?;
        }
        for account in 0..ACCOUNTS {
            ctx.insert_node(ACCOUNT, account.to_string().as_str(), doc! { "balance": BALANCE })?;
        }
        Ok(())
    })
}

/// The last sequence of each thread. All 0 if nothing was prepared; then there may
/// be nothing at all.
pub(crate) fn lasts<R: Read>(reader: &R) -> Result<Lasts> {
    let mut lasts = [0; THREADS];
    if reader.get_node(COUNTER, "all")?.is_none() {
        let nodes = reader.node_count()?;
        let empty = nodes == 0;
        return empty
            .then_some(lasts)
            .ok_or_else(|| Failure::Broken(format!("{nodes} nodes, and no counter")));
    }
    for (thread, last) in lasts.iter_mut().enumerate() {
        let journal = expect_node(reader, JOURNAL, &thread.to_string())?;
        *last = u64::try_from(number(reader, journal, "last")?)
            .map_err(|_| Failure::Broken(format!("the journal of {thread} is below 0")))?;
    }
    Ok(lasts)
}

/// What holds between any two commits and is quick to look at: the sum of the
/// accounts, the counter, the newest entry of each thread. Gives the highest id of
/// those entries.
pub(crate) fn glance<R: Read>(reader: &R) -> Result<Option<NodeId>> {
    let lasts = lasts(reader)?;
    let mut sum = 0;
    for account in 0..ACCOUNTS {
        let account = expect_node(reader, ACCOUNT, &account.to_string())?;
        sum += number(reader, account, "balance")?;
    }
    if sum != BALANCE * ACCOUNTS as i64 {
        return Err(Failure::Broken(format!("the accounts hold {sum}")));
    }
    let counter = expect_node(reader, COUNTER, "all")?;
    let commits = number(reader, counter, "commits")?;
    if commits != lasts.iter().sum::<u64>() as i64 {
        return Err(Failure::Broken(format!("{commits} are counted, the journals say {lasts:?}")));
    }
    let mut newest = None;
    for (thread, &last) in lasts.iter().enumerate().filter(|(_, last)| **last > 0) {
        let entry = expect_node(reader, ENTRY, &entry_key(thread, last))?;
        let document = reader.node(entry)?.map(|node| node.document().to_document());
        if document != Some(Step::new(thread, last).document(last)) {
            return Err(Failure::Broken(format!("entry {thread}-{last} is not what it was")));
        }
        newest = newest.max(Some(entry));
    }
    Ok(newest)
}

/// What is wrong with a database that has come to `lasts`, one line each.
pub(crate) fn problems<R: Read>(reader: &R, lasts: &Lasts) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    if let Err(failure) = glance(reader) {
        problems.push(failure.to_string());
    }
    let mut expected = Totals::default();
    for (thread, &last) in lasts.iter().enumerate() {
        for sequence in 1..=last {
            expected.add(&Step::new(thread, sequence), last);
        }
        for sequence in (last + 1).saturating_sub(KEPT).max(1)..=last {
            check_entry(reader, thread, sequence, last, &mut problems)?;
        }
        for sequence in (1..=last).filter(|sequence| sequence.is_multiple_of(MILESTONE_EVERY)) {
            if reader.get_node(&milestone_label(thread, sequence), "m")?.is_none() {
                problems.push(format!("the milestone {thread}-{sequence} is missing"));
            }
        }
        for beyond in [last + 1, last.saturating_sub(KEPT)] {
            if reader.get_node(ENTRY, &entry_key(thread, beyond))?.is_some() {
                problems.push(format!("entry {thread}-{beyond} is there, the last is {last}"));
            }
        }
    }
    expected.compare(reader, &mut problems)?;
    Ok(problems)
}

fn check_entry<R: Read>(
    reader: &R,
    thread: usize,
    sequence: u64,
    last: u64,
    problems: &mut Vec<String>,
) -> Result<()> {
    let (step, key) = (Step::new(thread, sequence), entry_key(thread, sequence));
    let Some(entry) = reader.get_node(ENTRY, &key)? else {
        problems.push(format!("entry {key} is missing, the last is {last}"));
        return Ok(());
    };
    if entry.document().to_document() != step.document(last) {
        problems.push(format!("entry {key} has another document, the last is {last}"));
    }
    let id = entry.id();
    let mut touched = vec![step.payee];
    if last - sequence < UNLINKED_AFTER {
        touched.insert(0, step.payer);
    }
    let mut accounts = Vec::new();
    for account in reader.neighbours(id, Direction::Out, TOUCHES)? {
        let node = reader.node(account)?;
        accounts.extend(node.and_then(|node| node.key()?.parse::<usize>().ok()));
    }
    accounts.sort_by_key(|account| *account == step.payee);
    if accounts != touched {
        problems.push(format!("entry {key} touches {accounts:?}, not {touched:?}"));
    }
    let next: Vec<_> = reader.neighbours(id, Direction::Out, NEXT)?.collect();
    let follower = reader.get_node(ENTRY, &entry_key(thread, sequence + 1))?.map(|node| node.id());
    if next.iter().copied().ne(follower) {
        problems.push(format!("entry {key} is followed by {next:?}, not {follower:?}"));
    }
    if let Some(follower) = follower {
        let mut expected = doc! { "sequence": (sequence + 1) as i64 };
        if last - sequence >= 2 {
            expected.set("followed", (sequence + 2) as i64);
        }
        let edge = reader.edge(id, NEXT, follower)?.map(|edge| edge.document().to_document());
        if edge.as_ref() != Some(&expected) {
            problems.push(format!("the edge out of {key} has {edge:?}, not {expected:?}"));
        }
    }
    Ok(())
}

/// What all commits together come to.
#[derive(Default)]
struct Totals {
    moved: [i64; ACCOUNTS],
    /// Edges into each account.
    touched: [u64; ACCOUNTS],
    entries: u64,
    next: u64,
}

impl Totals {
    fn add(&mut self, step: &Step, last: u64) {
        self.moved[step.payer] -= step.amount;
        self.moved[step.payee] += step.amount;
        let age = last - step.sequence;
        self.entries += u64::from(age < KEPT);
        self.next += u64::from(age < KEPT && age > 0);
        self.touched[step.payee] += u64::from(age < KEPT);
        self.touched[step.payer] += u64::from(age < UNLINKED_AFTER);
    }

    fn compare<R: Read>(&self, reader: &R, problems: &mut Vec<String>) -> Result<()> {
        let mut expect = |what: &str, found: i64, expected: i64| {
            if found != expected {
                problems.push(format!("{what}: {found}, expected {expected}"));
            }
        };
        for account in 0..ACCOUNTS {
            let id = expect_node(reader, ACCOUNT, &account.to_string())?;
            let balance = number(reader, id, "balance")?;
            expect(&format!("balance of {account}"), balance, BALANCE + self.moved[account]);
            let edges = reader.degree(id, Direction::In, TOUCHES)? as i64;
            expect(&format!("edges into {account}"), edges, self.touched[account] as i64);
        }
        let touches = self.touched.iter().sum::<u64>() as i64;
        expect("entries", reader.count(ENTRY)? as i64, self.entries as i64);
        expect("entries found", reader.scan(ENTRY)?.count() as i64, self.entries as i64);
        expect("edges NEXT", reader.count_edges(NEXT)? as i64, self.next as i64);
        expect("edges TOUCHES", reader.count_edges(TOUCHES)? as i64, touches);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(db: &Db, commits: u64) -> Lasts {
        prepare(db).unwrap();
        let mut lasts = lasts(&db.snapshot().unwrap()).unwrap();
        for _ in 0..commits {
            for (thread, last) in lasts.iter_mut().enumerate() {
                *last += 1;
                let step = Step::new(thread, *last);
                db.transaction(|ctx| step.stage(ctx)).unwrap();
            }
        }
        lasts
    }

    #[test]
    fn the_workload_is_what_is_expected_of_it() {
        let db = Db::in_memory();
        assert_eq!(lasts(&db.snapshot().unwrap()).unwrap(), [0; THREADS]);
        for commits in [0, 1, 1, 1, 47, 1, 48, 1, 1, 40] {
            let lasts = run(&db, commits);
            let problems = problems(&db.snapshot().unwrap(), &lasts).unwrap();
            assert_eq!(problems, Vec::<String>::new(), "at {lasts:?}");
        }
    }

    #[test]
    fn what_is_missing_or_changed_is_noticed() {
        type Damage = fn(&mut Transaction<'_>) -> Result<()>;
        let damages: [Damage; 6] = [
            |ctx| Ok(ctx.delete_node(expect_node(ctx, ENTRY, "0-5")?).map(|_| ())?),
            |ctx| Ok(ctx.set(expect_node(ctx, ENTRY, "1-5")?, "marked", 0)?),
            |ctx| Ok(ctx.set(expect_node(ctx, ACCOUNT, "3")?, "balance", 0)?),
            |ctx| Ok(ctx.set(expect_node(ctx, COUNTER, "all")?, "commits", 1)?),
            |ctx| {
                let (a, b) = (expect_node(ctx, ENTRY, "2-8")?, expect_node(ctx, ENTRY, "2-9")?);
                Ok(ctx.unlink_nodes(a, NEXT, b).map(|_| ())?)
            },
            |ctx| Ok(ctx.insert_node(ENTRY, "0-13", doc! {}).map(|_| ())?),
        ];
        for (index, damage) in damages.into_iter().enumerate() {
            let db = Db::in_memory();
            let lasts = run(&db, 12);
            db.transaction(damage).unwrap();
            let problems = problems(&db.snapshot().unwrap(), &lasts).unwrap();
            assert!(!problems.is_empty(), "damage {index}");
        }
    }
}

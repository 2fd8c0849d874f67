//! Models of the tables of a keyed index: a writer that fills, removes, splits and doubles
//! beside a reader that probes without a lock, through every schedule and every stale
//! read that the memory model allows.
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test -p selvedge-index --release --lib key_tables \
//!     --target-dir target/loom
//! ```
//!
//! What the writer takes out waits for the reader if that has begun, until it ends, as it
//! does in the engine's limbo. With the fault `entry-freed-early` (`--cfg selvedge_mutants`, named by
//! `SELVEDGE_MUTANT`) it ends at once, and each model must fail.
#![expect(unsafe_code, reason = "the models keep the contract of the tables by a limbo")]

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering as Std};

use loom::cell::UnsafeCell;
use loom::model::Builder;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering, fence};
use loom::thread;
use selvedge_base::mutant;

use crate::entry::{self, Block};
use crate::key_tables::{KeyTables, Replaced};

/// A value that the checker watches: written before it is shared, and at its end.
struct Watched(UnsafeCell<u64>);

// SAFETY: the checker tells when it is used from two threads at once.
unsafe impl Send for Watched {}
// SAFETY: as above.
unsafe impl Sync for Watched {}

type Link = NonNull<Block<Watched>>;

fn entry(key: u8) -> Link {
    let value = Watched(UnsafeCell::new(0));
    value.0.with_mut(|number| {
        // SAFETY: not shared yet.
        unsafe { *number = u64::from(key) };
    });
    entry::allocate(&[key], value)
}

/// The end of an entry. Its memory stays, so that a use after it fails the model.
fn end(link: Link) {
    // SAFETY: entries of the models are never freed.
    unsafe { entry::Entry::from_raw(link) }.value().0.with_mut(|_| ());
}

/// The reader, as a registry of snapshots has it.
#[derive(Default)]
struct Reader {
    has_begun: AtomicBool,
    has_ended: AtomicBool,
}

impl Reader {
    fn begin(&self) {
        // Relaxed: the fence orders it; partner: that in `is_open`.
        self.has_begun.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    fn end(&self) {
        // Release, partner: the Acquire load in `is_open`.
        self.has_ended.store(true, Ordering::Release);
    }

    /// Whether it may have seen what was unlinked before.
    fn is_open(&self) -> bool {
        fence(Ordering::SeqCst);
        self.has_begun.load(Ordering::Relaxed) && !self.has_ended.load(Ordering::Acquire)
    }
}

struct Writer {
    tables: Arc<KeyTables<Watched>>,
    reader: Arc<Reader>,
    limbo: Vec<(Option<Link>, Replaced<Watched>)>,
}

impl Writer {
    fn retire(&mut self, link: Option<Link>, replaced: Replaced<Watched>) {
        self.limbo.push((link, replaced));
        if !self.reader.is_open() || mutant::is("entry-freed-early") {
            self.free();
        }
    }

    fn free(&mut self) {
        for (link, replaced) in self.limbo.drain(..) {
            link.into_iter().for_each(end);
            drop(replaced);
        }
    }

    fn insert(&mut self, hash: u64, link: Link) {
        // SAFETY: the only writer; what is replaced waits for the reader.
        let replaced = unsafe { self.tables.insert(hash, link) };
        if !replaced.is_nothing() {
            self.retire(None, replaced);
        }
    }

    fn remove(&mut self, hash: u64, link: Link) {
        // SAFETY: as above.
        let replaced = unsafe { self.tables.remove(hash, link) };
        self.retire(Some(link), replaced);
    }
}

/// Whether a key is found; then with its value.
fn find(tables: &KeyTables<Watched>, hash: u64, key: u8) -> bool {
    // SAFETY: what leaves the tables ends after the reader.
    let found = unsafe { tables.table(hash).and_then(|table| table.find(hash, (&[key]).into())) };
    let Some(entry) = found else { return false };
    entry.value().0.with(|number| {
        // SAFETY: nobody writes it before its end.
        assert_eq!(unsafe { *number }, u64::from(key));
    });
    true
}

/// Runs `write` beside `read` over tables of one line with these entries; the reader
/// gives a bit for what it met, and all of `met` must be met.
fn check(
    met: u64,
    stable: impl Fn(&KeyTables<Watched>) -> Vec<(u64, Link)> + Send + Sync + 'static,
    write: impl Fn(&mut Writer, &[(u64, Link)]) + Send + Sync + 'static,
    read: fn(&KeyTables<Watched>) -> u32,
) {
    let mut builder = Builder::new();
    builder.preemption_bound.get_or_insert(3);
    let seen = std::sync::Arc::new(AtomicU64::new(0));
    let tell = std::sync::Arc::clone(&seen);
    builder.check(move || {
        let reader = Arc::new(Reader::default());
        let tables = Arc::new(KeyTables::new(0x5eed, 1));
        let mut writer = Writer { tables, reader: Arc::clone(&reader), limbo: Vec::new() };
        let links = stable(&writer.tables);
        links.iter().for_each(|(hash, link)| writer.insert(*hash, *link));
        let (tables, tell) = (Arc::clone(&writer.tables), std::sync::Arc::clone(&tell));
        let handle = thread::spawn(move || {
            reader.begin();
            tell.fetch_or(1 << read(&tables), Std::Relaxed);
            reader.end();
        });
        write(&mut writer, &links);
        handle.join().expect("the reader finds what it must");
        writer.free();
    });
    assert_eq!(seen.load(Std::Relaxed), met, "outcomes met");
}

/// The sixth entry is one too many for a line: the table is split, the directory doubled.
#[test]
fn a_table_is_split_under_a_reader() {
    let stable =
        |tables: &KeyTables<Watched>| (0..5).map(|key| (tables.hash(&[key]), entry(key))).collect();
    let write = |writer: &mut Writer, _: &[(u64, Link)]| {
        let hash = writer.tables.hash(&[5]);
        writer.insert(hash, entry(5));
    };
    check(0b11, stable, write, |tables| {
        let is_new_there = find(tables, tables.hash(&[5]), 5);
        assert!((0..2).all(|key| find(tables, tables.hash(&[key]), key)));
        u32::from(is_new_there)
    });
}

/// An entry goes, and another with the same mark takes its slot: a reader that begins in
/// between may see that mark, and must not see the earlier address behind it.
#[test]
fn a_slot_is_filled_again_under_a_reader() {
    const HASH: u64 = 7 << 56;
    check(
        0b111,
        |_| (0..2).map(|key| (HASH, entry(key))).collect(),
        |writer, links| {
            writer.remove(HASH, links[0].1);
            writer.insert(HASH, entry(2));
        },
        |tables| {
            let old = find(tables, HASH, 0);
            assert!(find(tables, HASH, 1), "it stays where it is");
            let new = find(tables, HASH, 2);
            if new { 2 } else { u32::from(old) }
        },
    );
}

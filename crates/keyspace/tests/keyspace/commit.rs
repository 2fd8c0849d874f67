//! Commits, schedule by schedule: what conflicts, what does not, what is refused,
//! and what is left behind.

use std::ops::Bound;

use crate::store::{ALL, Store, TEXT};
use selvedge_base::Timestamp;
use selvedge_keyspace::{
    ComputationError, Encoding, Expected, Mutation, NoNumber, Operation, RangeOptions, Refusal,
};

fn conflict(key: &[u8], start: Timestamp, committed: Timestamp, read: bool) -> Refusal {
    Refusal::Conflict { key: key.into(), start, committed, read }
}

#[test]
fn the_first_committer_wins() {
    let store = Store::new();
    store.put(b"alice", b"1");
    let (mut first, mut second) = (store.begin(), store.begin());
    first.writes.put(b"alice", TEXT, b"2").unwrap();
    second.writes.put(b"alice", TEXT, b"3").unwrap();
    assert_eq!(second.text(b"alice").as_deref(), Some("3"), "own writes are visible");
    let start = second.start();
    let committed = first.commit().unwrap();
    let refusal = second.commit().unwrap_err();
    assert_eq!(refusal, conflict(b"alice", start, committed, false));
    assert_eq!(refusal.to_string(), "conflict on \"alice\", written: began at @1, changed at @2");
    assert_eq!(store.begin().text(b"alice").as_deref(), Some("2"));
    store.settle();
}

#[test]
fn insertions_of_one_key_conflict_and_so_does_a_deletion_in_between() {
    let store = Store::new();
    let (mut first, mut second, mut third) = (store.begin(), store.begin(), store.begin());
    let start = second.start();
    first.writes.put(b"k", TEXT, b"1").unwrap();
    second.writes.put(b"k", TEXT, b"2").unwrap();
    third.writes.delete(b"k").unwrap();
    let committed = first.commit().unwrap();
    assert_eq!(second.commit(), Err(conflict(b"k", start, committed, false)));
    let deleted = store.delete(b"k");
    assert_eq!(store.len(), 1, "the tombstone stays while somebody older is active");
    assert_eq!(third.commit(), Err(conflict(b"k", start, deleted, false)));
    store.settle();
    assert_eq!(store.len(), 0);
}

#[test]
fn a_snapshot_keeps_what_it_sees() {
    let store = Store::new();
    let first = store.put(b"k", b"old");
    let old = store.begin();
    let mut all = old.view().range(ALL, RangeOptions::default());
    let value = old.view().get(b"k").unwrap().unwrap();
    store.put(b"k", b"new");
    store.delete(b"k");
    store.put(b"k", b"newer");
    store.delete(b"k");
    assert_eq!(
        (value.version(), value.encoding(), value.bytes()),
        (Some(first), TEXT, &b"old"[..])
    );
    let (key, value) = all.next().unwrap().unwrap();
    assert_eq!((key, value.bytes()), (&b"k"[..], &b"old"[..]));
    assert!(all.next().is_none());
    assert_eq!(store.begin().text(b"k"), None);
    assert_eq!(old.text(b"k").as_deref(), Some("old"));
    drop(old);
    store.settle();
    assert_eq!(store.len(), 0);
}

#[test]
fn deleting_what_does_not_exist_leaves_nothing() {
    let store = Store::new();
    store.delete(b"k");
    store.commit(|writes| writes.mutate(b"k", Mutation::Delete).unwrap());
    assert_eq!(store.len(), 0);
    let old = store.begin();
    store.put(b"k", b"1");
    store.delete(b"k");
    let retained = store.0.statistics().versions_retained;
    store.delete(b"k");
    assert_eq!(store.0.statistics().versions_retained, retained);
    drop(old);
    store.settle();
}

#[test]
fn mutations_of_one_key_apply_in_order() {
    let store = Store::new();
    let le64 = |number: u64| (Encoding::LE64, number.to_le_bytes());
    let outcome = |mutations: &[Mutation<'_>]| {
        store.commit(|writes| {
            mutations.iter().for_each(|mutation| writes.mutate(b"k", *mutation).unwrap());
        });
        store.number(b"k")
    };
    let (encoding, seven) = le64(7);
    let set = Mutation::Set(encoding, &seven);
    assert_eq!(outcome(&[Mutation::Sum(5)]), Some(5), "absent: the operand");
    assert_eq!(outcome(&[Mutation::Sum(u64::MAX)]), Some(4), "sum wraps");
    assert_eq!(outcome(&[Mutation::Min(3), Mutation::Max(9), Mutation::Sum(1)]), Some(10));
    assert_eq!(outcome(&[Mutation::Delete, Mutation::Sum(1), Mutation::Sum(2)]), Some(3));
    assert_eq!(outcome(&[Mutation::Sum(1), set]), Some(7), "the last set counts");
    assert_eq!(outcome(&[set, Mutation::Sum(1)]), Some(8));
    assert_eq!(outcome(&[set, Mutation::Delete]), None);
    assert_eq!(outcome(&[Mutation::Max(6)]), Some(6));
    store.settle();
}

#[test]
fn blind_mutations_do_not_conflict() {
    let store = Store::new();
    store.commit(|writes| writes.mutate(b"n", Mutation::Sum(10)).unwrap());
    let mut txn = store.begin();
    txn.writes.mutate(b"n", Mutation::Sum(1)).unwrap();
    txn.writes.mutate(b"s", Mutation::Set(TEXT, b"mine")).unwrap();
    store.commit(|writes| writes.mutate(b"n", Mutation::Sum(100)).unwrap());
    store.put(b"s", b"theirs");
    let seen = txn.view().get(b"n").unwrap().unwrap();
    assert_eq!((seen.version(), seen.number()), (None, Some(11)), "on the snapshot's value");
    txn.commit().unwrap();
    assert_eq!(store.number(b"n"), Some(111), "on the latest one");
    assert_eq!(store.begin().text(b"s").as_deref(), Some("mine"));
    store.settle();
}

#[test]
fn a_blind_mutation_on_top_of_a_snapshot_write_conflicts() {
    let store = Store::new();
    let mut txn = store.begin();
    txn.writes.put(b"n", Encoding::LE64, &5_u64.to_le_bytes()).unwrap();
    txn.writes.mutate(b"n", Mutation::Sum(1)).unwrap();
    let start = txn.start();
    let committed = store.commit(|writes| writes.mutate(b"n", Mutation::Sum(1)).unwrap());
    assert_eq!(txn.commit(), Err(conflict(b"n", start, committed, false)));
    assert_eq!(store.number(b"n"), Some(1));
}

#[test]
fn a_mutation_that_does_not_fit_refuses_everything() {
    let store = Store::new();
    store.put(b"text", b"12345678");
    let mut txn = store.begin();
    txn.writes.put(b"a", TEXT, b"1").unwrap();
    txn.writes.mutate(b"n", Mutation::Sum(1)).unwrap();
    txn.writes.mutate(b"text", Mutation::Min(1)).unwrap();
    txn.writes.mutate(b"text", Mutation::Sum(1)).unwrap();
    let wrong = ComputationError {
        key: (*b"text").into(),
        operation: Operation::Min,
        reason: NoNumber::WrongType,
    };
    assert_eq!(txn.get(b"text"), Err(wrong.clone()), "reading it tells as much");
    let range: Vec<_> = txn.view().range(ALL, RangeOptions::default()).collect();
    assert_eq!(range.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false]);
    let refusal = txn.commit().unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "cannot perform 'min' on \"text\": its value is not a number of that kind"
    );
    assert_eq!(refusal, Refusal::Computation(wrong));
    assert_eq!(store.begin().keys(ALL, RangeOptions::default()), ["text"]);
    // Replaced in the same transaction, it fits.
    store.commit(|writes| {
        writes.mutate(b"text", Mutation::Delete).unwrap();
        writes.mutate(b"text", Mutation::Sum(2)).unwrap();
    });
    assert_eq!(store.number(b"text"), Some(2));
}

#[test]
fn failed_checks_are_told_by_index_and_nothing_is_applied() {
    let store = Store::new();
    let version = store.put(b"a", b"1");
    store.put(b"gone", b"1");
    let gone = store.delete(b"gone");
    let mut txn = store.begin();
    assert_eq!(txn.writes.check(b"a", Expected::Version(version)), Ok(0));
    assert_eq!(txn.writes.check(b"a", Expected::Absent), Ok(1));
    assert_eq!(txn.writes.check(b"gone", Expected::Absent), Ok(2));
    assert_eq!(txn.writes.check(b"gone", Expected::Version(gone)), Ok(3));
    assert_eq!(txn.writes.check(b"b", Expected::Absent), Ok(4));
    txn.writes.put(b"a", TEXT, b"2").unwrap();
    // Judged before conflicts, and against the latest state.
    store.put(b"a", b"3");
    assert_eq!(txn.commit(), Err(Refusal::ChecksFailed(vec![0, 1, 3])));
    assert_eq!(store.begin().text(b"a").as_deref(), Some("3"));
    // A check does not see the writes of its own commit.
    store.commit(|writes| {
        writes.mutate(b"b", Mutation::Set(TEXT, b"1")).unwrap();
        writes.check(b"b", Expected::Absent).unwrap();
    });
    store.settle();
}

#[test]
fn a_refused_transaction_may_be_tried_again() {
    let store = Store::new();
    let mut txn = store.begin();
    txn.writes.check(b"lock", Expected::Absent).unwrap();
    txn.writes.mutate(b"n", Mutation::Sum(1)).unwrap();
    txn.writes.mutate(b"n", Mutation::Max(5)).unwrap();
    store.put(b"lock", b"");
    let refusal = Refusal::ChecksFailed(vec![0]);
    let mut writes = std::mem::take(&mut txn.writes);
    drop(txn);
    for _ in 0..2 {
        let mut txn = store.begin();
        txn.writes = writes;
        let open = store.0.open().unwrap();
        let refused = store.0.commit(open, &mut txn.writes, None).unwrap_err();
        assert_eq!(refused, selvedge_engine::CommitError::Refused(refusal.clone()));
        writes = std::mem::take(&mut txn.writes);
    }
    store.delete(b"lock");
    let mut txn = store.begin();
    txn.writes = writes;
    txn.commit().unwrap();
    assert_eq!(store.number(b"n"), Some(5));
}

#[test]
#[should_panic(expected = "committed once")]
fn a_transaction_is_committed_once() {
    let store = Store::new();
    let mut txn = store.begin();
    txn.writes.put(b"k", TEXT, b"1").unwrap();
    let open = store.0.open().unwrap();
    store.0.commit(open, &mut txn.writes, None).unwrap();
    assert_eq!(txn.text(b"k"), None, "committed writes are no longer its own");
    let _ = txn.commit();
}

#[test]
fn a_phantom_is_allowed_under_snapshot_isolation_and_refused_under_serializable() {
    let day = (Bound::Included(&b"day/"[..]), Bound::Excluded(&b"day0"[..]));
    for (serializable, change) in [(false, "insert"), (true, "insert"), (true, "delete")] {
        let store = Store::new();
        store.put(b"day/1", b"");
        let mut txn = store.begin();
        let count = txn.keys(day, RangeOptions::default()).len();
        assert_eq!(count, 1);
        if serializable {
            txn.writes.validate_range(day);
        }
        txn.writes.put(b"count", TEXT, b"1").unwrap();
        let start = txn.start();
        let (key, committed) = match change {
            "insert" => (&b"day/2"[..], store.put(b"day/2", b"")),
            _ => (&b"day/1"[..], store.delete(b"day/1")),
        };
        store.put(b"elsewhere", b"");
        assert_eq!(txn.keys(day, RangeOptions::default()).len(), 1, "repeatable either way");
        let outcome = txn.commit();
        if serializable {
            assert_eq!(outcome, Err(conflict(key, start, committed, true)));
        } else {
            assert!(outcome.is_ok());
        }
        store.settle();
    }
}

/// An entry that was inserted and deleted since leaves a tombstone, although
/// nothing that anybody could have read has changed. Conservative, and no
/// accident: were the tombstone not there, neither would be that of a deletion.
#[test]
fn a_validated_range_sees_what_came_and_went() {
    let store = Store::new();
    let txn = store.begin();
    txn.writes.validate_range(ALL);
    let start = txn.start();
    store.put(b"k", b"");
    let committed = store.delete(b"k");
    assert_eq!(txn.commit(), Err(conflict(b"k", start, committed, true)));
}

#[test]
fn validated_points_present_and_absent() {
    let store = Store::new();
    store.put(b"present", b"");
    for (key, change) in [(&b"present"[..], "delete"), (b"present", "put"), (b"absent", "put")] {
        let store = store.clone();
        let mut txn = store.begin();
        txn.writes.validate_read(key);
        txn.writes.mutate(b"other", Mutation::Sum(1)).unwrap();
        let start = txn.start();
        let committed = if change == "put" { store.put(key, b"") } else { store.delete(key) };
        assert_eq!(txn.commit(), Err(conflict(key, start, committed, true)));
    }
    let txn = store.begin();
    txn.writes.validate_read(b"present");
    txn.writes.validate_read(b"never");
    store.put(b"unread", b"");
    assert!(txn.commit().is_ok());
}

/// The doctors on call: allowed under snapshot isolation, refused when the reads
/// are validated.
#[test]
fn write_skew() {
    for serializable in [false, true] {
        let store = Store::new();
        store.put(b"a", b"on");
        store.put(b"b", b"on");
        let mut doctors = [store.begin(), store.begin()];
        for (txn, own) in doctors.iter_mut().zip([b"a", b"b"]) {
            assert_eq!(txn.keys(ALL, RangeOptions::default()), ["a", "b"]);
            if serializable {
                txn.writes.validate_read(b"a");
                txn.writes.validate_read(b"b");
            }
            txn.writes.put(own, TEXT, b"off").unwrap();
        }
        let [first, second] = doctors;
        assert!(first.commit().is_ok());
        assert_eq!(second.commit().is_err(), serializable);
    }
}

#[test]
fn a_range_that_stopped_early_is_validated_as_far_as_it_went() {
    let store = Store::new();
    for key in [b"b", b"d", b"f"] {
        store.put(key, b"");
    }
    let first_two = |reverse| {
        let mut txn = store.begin();
        let mut range = txn.view().range(ALL, RangeOptions { reverse, limit: 2 });
        assert_eq!(range.covered(), None);
        assert_eq!(range.by_ref().count(), 2);
        let (start, end) = range.covered().unwrap();
        let (start, end) = (start.map(<[u8]>::to_vec), end.map(<[u8]>::to_vec));
        let bounds = (start.as_ref().map(Vec::as_slice), end.as_ref().map(Vec::as_slice));
        txn.writes.validate_range(bounds);
        txn.writes.mutate(b"n", Mutation::Sum(1)).unwrap();
        txn
    };
    let (forward, backward) = (first_two(false), first_two(true));
    store.put(b"a", b"");
    assert!(forward.commit().is_err());
    assert!(backward.commit().is_ok());
    let all = store.begin();
    let mut range = all.view().range(ALL, RangeOptions::default());
    assert_eq!(range.by_ref().count(), 5);
    assert_eq!(range.covered(), Some(ALL));
}

#[test]
fn ranges_merge_own_writes_in_both_directions() {
    let store = Store::new();
    for number in 0..300 {
        store.put(format!("k{number:03}").as_bytes(), b"");
    }
    let mut txn = store.begin();
    txn.writes.delete(b"k150").unwrap();
    txn.writes.put(b"k150x", TEXT, b"").unwrap();
    txn.writes.mutate(b"k299x", Mutation::Sum(1)).unwrap();
    txn.writes.mutate(b"k000", Mutation::Set(TEXT, b"new")).unwrap();
    // More than one chunk of entries that the snapshot does not see.
    for number in 0..200 {
        store.put(format!("k150y{number:03}").as_bytes(), b"");
    }
    let mut expected: Vec<_> = (0..300).map(|number| format!("k{number:03}")).collect();
    expected[150] = "k150x".into();
    expected.push("k299x".into());
    assert_eq!(txn.keys(ALL, RangeOptions::default()), expected);
    expected.reverse();
    let reverse = RangeOptions { reverse: true, ..RangeOptions::default() };
    assert_eq!(txn.keys(ALL, reverse), expected);
    let some = (Bound::Excluded(&b"k149"[..]), Bound::Included(&b"k151"[..]));
    assert_eq!(txn.keys(some, RangeOptions::default()), ["k150x", "k151"]);
    assert_eq!(txn.keys(some, RangeOptions { reverse: true, limit: 1 }), ["k151"]);
    assert_eq!(txn.keys((some.1, some.0), RangeOptions::default()), [""; 0], "start after end");
    assert_eq!(txn.keys((some.0, some.0), RangeOptions::default()), [""; 0]);
}

/// A name filed for pruning outlived its entry: version 1 is filed under the
/// snapshot, which ends; before it comes due, a deletion empties the record and
/// takes the entry out. The filed name must then lead nowhere, or, once its slot
/// is used again, do the other entry no harm.
#[test]
fn what_is_filed_may_outlive_its_entry() {
    let store = Store::new();
    // More than one commit looks at again by the way.
    let keys = || (0..12_u8).map(|number| [b'k', number]);
    for reuse in [false, true] {
        let put = |value: &[u8]| {
            store.commit(|writes| keys().for_each(|key| writes.put(&key, TEXT, value).unwrap()));
        };
        put(b"1");
        let old = store.begin();
        put(b"2");
        drop(old);
        store.commit(|writes| keys().for_each(|key| writes.delete(&key).unwrap()));
        assert_eq!(store.len(), 0, "the entries are gone, while old versions are still filed");
        assert!(store.0.owes_maintenance());
        let kept = reuse.then(|| {
            store.put(b"other", b"1");
            let kept = store.begin();
            store.put(b"other", b"2");
            kept
        });
        store.0.step(16);
        if let Some(kept) = kept {
            assert_eq!(kept.text(b"other").as_deref(), Some("1"));
            drop(kept);
            store.delete(b"other");
        }
        store.settle();
        assert_eq!(store.len(), 0);
    }
}

/// K5: entries and tables that leave the index wait for the snapshots that were open then,
/// though none of these sees the entries. With the fault `entry-freed-early` they do not.
#[test]
fn what_leaves_the_index_waits_for_the_snapshots_of_the_time() {
    let store = Store::new();
    for key in ["a", "b", "c"] {
        store.put(key.as_bytes(), b"1");
    }
    store.settle();
    let (old, gone) = (store.begin(), store.delete(b"b"));
    let reader = store.begin();
    assert_eq!(reader.start(), gone);
    let view = reader.view();
    let mut range = view.range(ALL, RangeOptions::default());
    assert_eq!(range.next().unwrap().unwrap().0, b"a", "and the others are fetched with it");
    drop(old);
    store.0.step(16);
    assert_eq!(store.len(), 2, "the entry is taken out");
    assert!(!store.0.step(16) && store.0.owes_maintenance(), "the entry waits");
    assert_eq!(range.next().unwrap().unwrap().0, b"c");
    assert!(range.next().is_none());
    drop(range);
    drop(reader);
    store.settle();

    let reader = store.begin();
    store.commit(|writes| {
        (0..500_u32).for_each(|key| writes.put(&key.to_be_bytes(), TEXT, b"1").unwrap());
    });
    assert!(!store.0.step(16) && store.0.owes_maintenance(), "tables wait");
    assert_eq!(reader.text(b"a").as_deref(), Some("1"));
    drop(reader);
    store.settle();
}

#[test]
fn serial_work_retains_nothing_and_mass_deletion_gives_everything_back() {
    let store = Store::new();
    let empty_bytes = store.0.participant().index_bytes();
    for round in 0..3 {
        for number in 0..500_u32 {
            store.put(&number.to_be_bytes(), format!("{round}").as_bytes());
        }
    }
    assert_eq!(store.0.statistics().versions_created, 0, "no chain, ever");
    assert_eq!(store.len(), 500);
    store.commit(|writes| {
        (0..250_u32).for_each(|number| writes.delete(&number.to_be_bytes()).unwrap());
    });
    assert_eq!(store.len(), 250);
    let old = store.begin();
    store.commit(|writes| {
        let delete = |number: u32| writes.mutate(&number.to_be_bytes(), Mutation::Delete).unwrap();
        (250..500).for_each(delete);
    });
    assert_eq!(store.len(), 250, "held by the snapshot");
    assert_eq!(store.0.statistics().versions_retained, 500, "values and tombstones");
    assert_eq!(old.view().range(ALL, RangeOptions::default()).count(), 250);
    drop(old);
    store.settle();
    let left = store.0.participant().index_bytes() - empty_bytes;
    assert!(store.len() == 0 && left <= 64 * 64, "{left} bytes: more than the smallest tables");
}

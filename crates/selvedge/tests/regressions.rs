//! Failures that were found once, each told and kept from coming back.

use selvedge::prelude::*;
use selvedge::{InputError, Result};

/// A write from the destructor of a thread-local ended the process: the notes on
/// running closures were gone by then, and asking for them panicked.
#[test]
fn a_thread_may_write_while_it_ends() -> Result<()> {
    struct AtTheEnd(Db);
    impl Drop for AtTheEnd {
        fn drop(&mut self) {
            self.0.insert_node("Last", None, doc! {}).expect("nothing is wrong");
        }
    }
    thread_local! {
        static LAST: std::cell::RefCell<Option<AtTheEnd>> = const { std::cell::RefCell::new(None) };
    }
    let db = Db::in_memory();
    let for_thread = db.clone();
    let ended = std::thread::spawn(move || {
        LAST.set(Some(AtTheEnd(for_thread.clone())));
        // The notes are made after it, and so are gone before it.
        for_thread.insert_node("First", None, doc! {}).map(drop)
    });
    ended.join().expect("the thread ends well")?;
    assert_eq!(db.snapshot()?.count("Last")?, 1);
    Ok(())
}

/// An edge type that was named twice was followed twice.
#[test]
fn a_type_named_twice_is_followed_once() -> Result<()> {
    let db = Db::in_memory();
    let (a, b) = (db.insert_node("N", "a", doc! {})?, db.insert_node("N", "b", doc! {})?);
    db.link_nodes(a, "X", b, doc! {})?;
    let snapshot = db.snapshot()?;
    let walk = snapshot.traverse(a)?.edge_type("X").edge_type("X").uniqueness(Uniqueness::None);
    assert_eq!(walk.count(), 1);
    Ok(())
}

/// Writing the same node again was counted as another entity.
#[test]
fn an_entity_written_again_needs_no_room() -> Result<()> {
    let db = Db::in_memory();
    let (a, b) = (db.insert_node("N", "a", doc! {})?, db.insert_node("N", "b", doc! {})?);
    db.link_nodes(a, "X", b, doc! {})?;
    let one = TransactionOptions::new().writes_max(1);
    db.transaction_with(&one, |ctx| (0..3).try_for_each(|n| ctx.set(a, "n", n)))?;
    db.transaction_with(&one, |ctx| {
        (0..3).try_for_each(|n| ctx.link_nodes(a, "X", b, doc! { "n": n }).map(drop))
    })
}

/// The first id was taken as it was given, and counting on from it wrapped.
#[test]
fn a_first_id_beyond_the_limit_is_refused_when_it_is_used() {
    let db = Db::builder().first_node_id(u64::MAX).first_edge_id(u64::MAX).in_memory();
    for _ in 0..3 {
        let error = db.insert_node("N", None, doc! {}).expect_err("beyond the limit");
        assert!(matches!(error.input(), Some(InputError::Limit { .. })), "{error}");
    }
}

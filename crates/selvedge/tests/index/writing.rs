//! Indexes inside transactions, and what unique ones refuse.

use super::{assert_sound, keys, with_users};
use selvedge::prelude::*;
use selvedge::{ConflictKind, Entity, FieldDef, IndexDef, InputError, NodeDef, limits};

#[test]
fn own_writes_are_seen_and_rolled_back() -> Result<(), Error> {
    let db = with_users()?;
    db.transaction(|ctx| {
        let id = |ctx: &Transaction<'_>, key: &str| -> Result<NodeId, Error> {
            Ok(ctx.get_node("User", key)?.expect("inserted").id())
        };
        let ages = |ctx: &Transaction<'_>| keys(ctx.index("User", "age")?.range(0..));
        ctx.set(id(ctx, "erin")?, "age", 33)?;
        ctx.insert_node("User", "fay", doc! { "age": 32 })?;
        assert_eq!(ages(ctx)?, ["bob", "dave", "alice", "fay", "erin", "carol"]);

        let savepoint = ctx.savepoint()?;
        ctx.delete_node(id(ctx, "bob")?)?;
        ctx.unset(id(ctx, "alice")?, "age")?;
        ctx.set_path(id(ctx, "carol")?, "address.city", "Oslo")?;
        assert_eq!(ages(ctx)?, ["dave", "fay", "erin", "carol"]);
        assert_eq!(keys(ctx.index("User", "city_age")?.equal("Oslo"))?, ["carol"]);
        ctx.rollback_to(savepoint)?;
        assert_eq!(ages(ctx)?, ["bob", "dave", "alice", "fay", "erin", "carol"]);
        assert_eq!(keys(ctx.index("User", "city_age")?.equal("Oslo"))?, ["bob", "alice"]);

        // Nobody else sees any of it.
        let before = db.snapshot()?;
        assert_eq!(
            keys(before.index("User", "age")?.range(0..))?,
            ["bob", "dave", "alice", "carol"]
        );
        Ok::<_, Error>(())
    })?;
    let after = db.snapshot()?;
    assert_eq!(keys(after.index("User", "age")?.range(32..))?, ["fay", "erin", "carol"]);
    assert_sound(&db);
    Ok(())
}

#[test]
fn who_is_second_with_a_value_is_told_the_index() -> Result<(), Error> {
    let db = with_users()?;
    let begin = |key: &str| -> Result<Transaction<'_>, Error> {
        let mut open = db.begin(&TransactionOptions::new())?;
        open.insert_node("User", key, doc! { "email": "new@example.org" })?;
        Ok(open)
    };
    let (first, second) = (begin("eve")?, begin("fay")?);
    first.commit()?;
    let Err(Error::Conflict(conflict)) = second.commit() else { panic!("both have it") };
    let (label, index) = ("User".to_owned(), "email".to_owned());
    assert_eq!(conflict.entity, Entity::Index { label, index });
    assert_eq!(conflict.kind, ConflictKind::Write);
    let told = conflict.to_string();
    assert!(told.contains(r#"a value in index "email" of label "User""#), "{told}");
    assert_sound(&db);
    Ok(())
}

#[test]
fn a_value_that_is_taken_is_refused_with_its_holder() -> Result<(), Error> {
    let db = with_users()?;
    let alice = db.snapshot()?.get_node("User", "alice")?.expect("inserted").id();
    let bob = db.snapshot()?.get_node("User", "bob")?.expect("inserted").id();
    let refused = InputError::UniqueViolation {
        label: "User".into(),
        index: "email".into(),
        values: "\"alice@example.org\"".into(),
        holder: alice,
    };
    let mail = doc! { "email": "alice@example.org" };
    let tries = [
        db.insert_node("User", "eve", mail.clone()).err(),
        db.upsert_node("User", "bob", mail.clone()).err(),
        db.set(bob, "email", "alice@example.org").err(),
        db.replace(bob, mail.clone()).err(),
        db.batch([Op::set(("User", "bob"), "email", "alice@example.org")]).err(),
    ];
    for refusal in tries {
        let refusal = refusal.expect("it is taken");
        assert_eq!(refusal.input(), Some(&refused), "{refusal}");
    }
    assert_eq!(
        refused.to_string(),
        format!(
            "{alice} has \"alice@example.org\" in the unique index \"email\" of \"User\" already"
        )
    );
    // What is refused stages nothing, and the transaction goes on.
    db.transaction(|ctx| {
        assert!(ctx.set_many(bob, doc! { "age": 99, "email": "alice@example.org" }).is_err());
        assert_eq!(ctx.index("User", "age")?.equal(99).count()?, 0);
        // Given up by one, it is free for another; and the same one may keep it.
        ctx.set(alice, "email", "alice@example.org")?;
        ctx.set(alice, "email", "alice@example.com")?;
        ctx.set(bob, "email", "alice@example.org")
    })?;
    let snapshot = db.snapshot()?;
    let email = snapshot.index("User", "email")?;
    assert_eq!(email.find("alice@example.org")?.and_then(|node| node.key()), Some("bob"));
    assert_eq!(email.find("alice@example.com")?.and_then(|node| node.key()), Some("alice"));
    assert!(email.find("bob@example.org")?.is_none());
    // A node that goes gives its value up.
    db.transaction(|ctx| {
        ctx.delete_node(alice)?;
        ctx.insert_node("User", "zoe", doc! { "email": "alice@example.com" }).map(drop)
    })?;
    assert_sound(&db);
    Ok(())
}

#[test]
fn values_beyond_the_limits_are_refused() -> Result<(), Error> {
    let db = Db::in_memory();
    let def =
        NodeDef::new("N").fields([FieldDef::string("text"), FieldDef::any("list").optional()]);
    db.define([def.index(IndexDef::on(["text"])).index(IndexDef::on(["list[]"]))])?;
    let text = "x".repeat(limits::INDEX_KEY_BYTES_MAX);
    let refused = db.insert_node("N", "a", doc! { "text": text }).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the document does not fit index \"text\" of \"N\": its values take 4099 bytes, the limit is 4096"
    );
    let list: Vec<Value> = vec![Value::Null; limits::INDEX_ENTRIES_PER_NODE_MAX + 1];
    let refused = db.insert_node("N", "a", doc! { "text": "x", "list": list }).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the document does not fit index \"list\" of \"N\": \
         list[] has more than 16384 elements, which is the limit"
    );
    assert_eq!(db.snapshot()?.count("N")?, 0);
    Ok(())
}

#[test]
fn the_first_of_two_with_the_same_value_commits() -> Result<(), Error> {
    let db = with_users()?;
    let options = TransactionOptions::new();
    let (mut one, mut other) = (db.begin(&options)?, db.begin(&options)?);
    one.insert_node("User", "fay", doc! { "email": "fay@example.org" })?;
    other.insert_node("User", "gus", doc! { "email": "fay@example.org" })?;
    one.commit()?;
    let conflict = other.commit().unwrap_err();
    assert!(conflict.is_retryable(), "{conflict}");
    assert!(db.insert_node("User", "gus", doc! { "email": "fay@example.org" }).is_err());
    assert_sound(&db);
    Ok(())
}

#[test]
fn a_range_that_was_read_is_validated_if_serializable() -> Result<(), Error> {
    let db = with_users()?;
    for (isolation, committed) in
        [(TransactionOptions::new(), true), (TransactionOptions::serializable(), false)]
    {
        let mut reader = db.begin(&isolation)?;
        let young = reader.index("User", "age")?.range(..30).count()?;
        reader.insert_node("Summary", None, doc! { "young": young as i64 })?;
        // Into the range; and a change beside it does no harm.
        db.insert_node("User", None, doc! { "age": 7 })?;
        assert_eq!(reader.commit().is_ok(), committed);

        let mut reader = db.begin(&isolation)?;
        let old = reader.index("User", "age")?.range(90..).count()?;
        reader.insert_node("Summary", None, doc! { "old": old as i64 })?;
        db.insert_node("User", None, doc! { "age": 7 })?;
        assert!(reader.commit().is_ok());
    }
    Ok(())
}

/// That a value is taken is read, though nothing was written for it: whoever goes on by
/// it has read what another gives back.
#[test]
fn a_refusal_is_a_read_of_a_serializable_transaction() -> Result<(), Error> {
    let db = super::with_users()?;
    let alice = db.snapshot()?.get_node("User", "alice")?.expect("there").id();
    let strict = TransactionOptions::serializable();
    let (mut one, mut other) = (db.begin(&strict)?, db.begin(&strict)?);
    let taken = one.insert_node("User", None, doc! { "email": "alice@example.org" });
    assert!(taken.is_err());
    one.insert_node("Note", None, doc! { "text": "alice is taken" })?;
    assert_eq!(other.scan("Note")?.count(), 0);
    other.delete_node(alice)?;
    other.commit()?;
    assert!(one.commit().is_err_and(|error| error.is_retryable()));
    Ok(())
}

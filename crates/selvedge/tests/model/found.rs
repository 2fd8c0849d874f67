//! What runs of the model, or thinking about them, found once.

use selvedge::prelude::*;
use selvedge::{EdgeTypeId, Result};

/// Two serializable transactions, each of which read that something is not
/// there and then writes what the other read. One must be refused, or each would
/// have to come before the other.
fn one_is_refused(
    db: &Db,
    read: impl Fn(&mut Transaction<'_>),
    write: impl Fn(&mut Transaction<'_>) -> Result<()>,
) -> Result<()> {
    let flag = db.insert_node("Flag", None, doc! { "up": false })?;
    let options = TransactionOptions::serializable();
    let (mut first, mut second) = (db.begin(&options)?, db.begin(&options)?);
    read(&mut first);
    assert!(second.node(flag)?.is_some());
    write(&mut second)?;
    first.set(flag, "up", true)?;
    second.commit()?;
    let refused = first.commit().expect_err("what it read is not so any more");
    assert!(refused.is_retryable(), "{refused}");
    Ok(())
}

/// Looking for an edge by its handle was no validated read when there was none.
#[test]
fn that_an_edge_is_not_there_is_a_validated_read() -> Result<()> {
    let db = Db::in_memory();
    let (a, b) = (db.insert_node("N", None, doc! {})?, db.insert_node("N", None, doc! {})?);
    let edge = db.link_nodes(a, "TO", b, doc! {})?;
    db.unlink_edge(edge)?;
    let link = |ctx: &mut Transaction<'_>| ctx.link_nodes(a, "TO", b, doc! {}).map(drop);
    one_is_refused(&db, |ctx| drop(ctx.unlink_edge(edge).expect_err("gone")), link)?;
    db.unlink_edge(edge)?;
    one_is_refused(&db, |ctx| drop(ctx.set_edge(edge, doc! {}).expect_err("gone")), link)?;
    db.unlink_edge(edge)?;
    one_is_refused(&db, |ctx| assert_eq!(ctx.unlink_nodes(a, "TO", b), Ok(0)), link)
}

/// Nor was the end of an edge that was missing. Ids count up, so that they can
/// be known before they are given out.
#[test]
fn that_the_end_of_an_edge_is_missing_is_a_validated_read() -> Result<()> {
    let db = Db::builder().first_node_id(10).in_memory();
    let a = db.insert_node("N", None, doc! {})?;
    let next = NodeId::new(a.get() + 2);
    one_is_refused(
        &db,
        |ctx| drop(ctx.link_nodes(a, "TO", next, doc! {}).expect_err("not yet")),
        |ctx| {
            assert_eq!(ctx.insert_node("N", None, doc! {})?, next);
            Ok(())
        },
    )
}

/// A type that was newer than the snapshot had no definition yet, unvalidated.
#[test]
fn that_an_edge_type_is_not_defined_is_a_validated_read() -> Result<()> {
    let db = Db::in_memory();
    let flag = db.insert_node("Flag", None, doc! { "up": false })?;
    let mut transaction = db.begin(&TransactionOptions::serializable())?;
    db.define_edge_type("TO", EdgeTypeDef::multi())?;
    assert_eq!(transaction.edge_type_def("TO")?, None);
    transaction.set(flag, "up", true)?;
    assert!(transaction.commit().is_err_and(|error| error.is_retryable()));
    Ok(())
}

/// Own edges out were told behind stored edges in.
#[test]
fn edges_out_come_before_edges_in_beside_own_edges() -> Result<()> {
    let db = Db::in_memory();
    let ids: Vec<_> = (0..3).map(|_| db.insert_node("N", None, doc! {})).collect::<Result<_>>()?;
    db.link_nodes(ids[0], "TO", ids[1], doc! {})?;
    db.transaction(|ctx| {
        ctx.link_nodes(ids[1], "TO", ids[2], doc! {})?;
        let both = ctx.neighbours(ids[1], Direction::Both, None)?;
        assert_eq!((both.len(), both.collect::<Vec<_>>()), (2, vec![ids[2], ids[0]]));
        Ok::<_, Error>(())
    })
}

/// The handle of an edge without its id was taken for the edge, and counted down
/// twice.
#[test]
fn a_handle_without_the_id_of_a_multi_edge_names_no_edge() -> Result<()> {
    let db = Db::in_memory();
    let (a, b) = (db.insert_node("N", None, doc! {})?, db.insert_node("N", None, doc! {})?);
    db.define_edge_type("PAID", EdgeTypeDef::multi())?;
    let paid = db.link_nodes(a, "PAID", b, doc! { "amount": 1 })?;
    let wrong = Edge { id: None, ..paid };
    db.transaction(|ctx| {
        assert!(ctx.unlink_edge(wrong).is_err() && ctx.unlink_edge(wrong).is_err());
        assert_eq!(ctx.count_edges("PAID")?, 1);
        Ok::<_, Error>(())
    })?;
    assert_eq!(db.snapshot()?.count_edges("PAID")?, 1);
    // Nor does a handle of a type that nobody knows.
    let unknown = Edge { edge_type: EdgeTypeId::new(u32::MAX), ..paid };
    assert!(db.unlink_edge(unknown).is_err());
    db.unlink_edge(paid)
}

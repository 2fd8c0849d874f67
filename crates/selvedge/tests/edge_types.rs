//! Which edge types a transaction leaves behind: those that were defined, and those that
//! its edges imply.

use selvedge::Result;
use selvedge::prelude::*;

/// Whether the type is in the database: then it cannot become another.
fn is_defined(db: &Db, name: &str) -> bool {
    let mut open = db.begin(&TransactionOptions::new()).expect("few are open");
    let refused = open.define_edge_type(name, EdgeTypeDef::multi().from("Elsewhere"));
    open.rollback();
    refused.is_err()
}

fn pair(db: &Db) -> Result<[NodeId; 2]> {
    Ok([db.insert_node("N", "a", doc! {})?, db.insert_node("N", "b", doc! {})?])
}

#[test]
fn a_type_that_only_an_edge_implied_goes_with_the_edge() -> Result<()> {
    let db = Db::in_memory();
    let [a, b] = pair(&db)?;
    db.transaction(|ctx| {
        ctx.link_nodes(a, "E", b, doc! {})?;
        ctx.unlink_nodes(a, "E", b)
    })?;
    assert!(!is_defined(&db, "E"));
    db.link_nodes(a, "E", b, doc! {})?;
    assert!(is_defined(&db, "E"));
    Ok(())
}

#[test]
fn a_defined_type_stays_whatever_is_linked_later() -> Result<()> {
    let db = Db::in_memory();
    let [a, b] = pair(&db)?;
    db.transaction(|ctx| {
        ctx.define_edge_type("E", EdgeTypeDef::unique())?;
        ctx.link_nodes(a, "E", b, doc! {})?;
        ctx.unlink_nodes(a, "E", b)
    })?;
    assert!(is_defined(&db, "E"), "an edge that implies it takes nothing back");
    Ok(())
}

#[test]
fn a_type_that_an_edge_implied_can_be_defined_the_same_way() -> Result<()> {
    let db = Db::in_memory();
    let [a, b] = pair(&db)?;
    db.transaction(|ctx| {
        ctx.link_nodes(a, "E", b, doc! {})?;
        ctx.define_edge_type("E", EdgeTypeDef::unique())?;
        ctx.unlink_nodes(a, "E", b)
    })?;
    assert!(is_defined(&db, "E"), "defined, though no edge is left");
    Ok(())
}

#[test]
fn a_type_that_an_edge_implied_cannot_be_defined_otherwise() -> Result<()> {
    let db = Db::in_memory();
    let [a, b] = pair(&db)?;
    let refused = db.transaction(|ctx| {
        ctx.link_nodes(a, "E", b, doc! {})?;
        ctx.define_edge_type("E", EdgeTypeDef::multi())
    });
    assert!(refused.is_err());
    assert!(!is_defined(&db, "E"));
    Ok(())
}

/// A definition that was refused leaves nothing behind in the transaction that goes on.
#[test]
fn a_definition_that_was_refused_does_not_keep_the_type() -> Result<()> {
    let db = Db::in_memory();
    let [a, b] = pair(&db)?;
    db.transaction(|ctx| {
        ctx.link_nodes(a, "E", b, doc! {})?;
        assert!(ctx.define_edge_type("E", EdgeTypeDef::multi()).is_err());
        ctx.unlink_nodes(a, "E", b)
    })?;
    assert!(!is_defined(&db, "E"), "only the edge implied it, and is gone");
    Ok(())
}

//! Walking over the adjacency of many nodes: what is taken ahead is neither
//! seen nor counted as read before it comes.

use selvedge::prelude::*;
use selvedge::{AdjacencyView, Result};

fn nodes(db: &Db, count: usize) -> Result<Vec<NodeId>> {
    db.transaction(|ctx| (0..count).map(|_| ctx.insert_node("N", None, doc! {})).collect())
}

#[test]
fn comes_to_the_same_as_asking_node_by_node() -> Result<()> {
    let db = Db::in_memory();
    let ids = nodes(&db, 3_000)?;
    for (at, id) in ids.iter().enumerate() {
        for step in 0..at % 5 {
            db.link_nodes(
                *id,
                if step % 2 == 0 { "A" } else { "B" },
                ids[(at * 31 + step) % 3_000],
                doc! {},
            )?;
        }
    }
    let snapshot = db.snapshot()?;
    db.delete_node(ids[7])?;
    // Over leaves, back and forth, to nodes that are not there, and again.
    let stranger = NodeId::new(ids[2_999].get() + 1_000_000);
    let odd: Vec<_> =
        ids.iter().rev().step_by(7).copied().chain([stranger, ids[7], ids[7]]).collect();
    for (edge_type, direction) in [
        (Some("A"), Direction::Out),
        (Some("B"), Direction::In),
        (None, Direction::Both),
        (Some("NONE"), Direction::Out),
    ] {
        let adjacency = snapshot.adjacency(direction, edge_type)?;
        for few in [0, 1, AdjacencyView::AHEAD - 1, AdjacencyView::AHEAD, odd.len()] {
            let walk = adjacency.neighbours_of_each(odd[odd.len() - few..].iter().copied());
            assert_eq!(walk.size_hint(), (few, Some(few)));
            let mut left = few;
            for (id, neighbours) in walk {
                let alone = snapshot.neighbours(id, direction, edge_type)?;
                assert!(neighbours.eq(alone), "{direction:?} {edge_type:?} of {id}");
                assert!(
                    adjacency.neighbours(id).eq(snapshot.neighbours(id, direction, edge_type)?)
                );
                left -= 1;
            }
            assert_eq!(left, 0, "every node comes");
        }
    }
    Ok(())
}

#[test]
fn a_transaction_sees_its_own_edges_in_a_walk() -> Result<()> {
    let db = Db::in_memory();
    let ids = nodes(&db, 40)?;
    db.link_nodes(ids[0], "TO", ids[1], doc! {})?;
    db.transaction(|ctx| {
        ctx.link_nodes(ids[30], "TO", ids[2], doc! {})?;
        ctx.unlink_nodes(ids[0], "TO", ids[1])?;
        let mut edges = Vec::new();
        let adjacency = ctx.adjacency(Direction::Out, "TO")?;
        for (id, neighbours) in adjacency.neighbours_of_each(ids.iter().copied()) {
            edges.extend(neighbours.map(|neighbour| (id, neighbour)));
        }
        assert_eq!(edges, [(ids[30], ids[2])]);
        Ok::<_, Error>(())
    })
}

#[test]
fn only_what_came_is_validated() -> Result<()> {
    for (edge_type, given, conflicts) in
        [("TO", 1, false), ("TO", 4, true), ("NEW", 1, false), ("NEW", 4, true)]
    {
        let db = Db::in_memory();
        let ids = nodes(&db, 40)?;
        db.link_nodes(ids[9], "TO", ids[8], doc! {})?;
        let mut reader = db.begin(&TransactionOptions::serializable())?;
        let adjacency = reader.adjacency(Direction::Out, "TO")?;
        let came = adjacency.neighbours_of_each(ids.iter().copied()).take(given);
        assert_eq!(came.count(), given);
        reader.insert_node("Summary", None, doc! {})?;
        db.link_nodes(ids[3], edge_type, ids[4], doc! {})?;
        assert_eq!(reader.commit().is_err(), conflicts, "{edge_type}, {given} nodes");
    }
    Ok(())
}

#[test]
fn a_type_that_does_not_exist_is_read_as_such() -> Result<()> {
    let db = Db::in_memory();
    let ids = nodes(&db, 2)?;
    let mut reader = db.begin(&TransactionOptions::serializable())?;
    assert_eq!(reader.adjacency(Direction::Out, "LATER")?.neighbours(ids[0]).len(), 0);
    reader.insert_node("Summary", None, doc! {})?;
    db.link_nodes(ids[0], "LATER", ids[1], doc! {})?;
    assert!(reader.commit().is_err_and(|error| error.is_retryable()));
    Ok(())
}

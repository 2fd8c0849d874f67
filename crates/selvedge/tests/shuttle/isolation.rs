//! Transactions in memory, judged by the history that they leave.

use selvedge::Background;
use selvedge_testkit::history::{Active, Done, EdgeName, Isolation, NodeId, Way};

use crate::schedules::explore;
use crate::story::{Story, act, conflicts};

fn add(active: &mut Active, node: NodeId, amount: i64) -> Done {
    if let Some(seen) = active.node(node)? {
        active.put(node, seen.content.number + amount, seen.content.list)?;
    }
    Ok(())
}

/// Reading, adding and writing: of those that meet, one is refused.
#[test]
fn increments_of_one_node() {
    explore("increments_of_one_node", &[0, 1], || {
        let mut story = Story::in_memory(Background::Manual);
        let node = story.insert(1)[0];
        let increments = || {
            act(move |worker| {
                for _ in 0..2 {
                    let mut active = worker.begin(Isolation::Snapshot)?;
                    add(&mut active, node, 1)?;
                    active.commit()?;
                }
                Ok(())
            })
        };
        story.together([increments(), increments(), increments()]);
        u64::from(conflicts(&story.judge()) > 0)
    });
}

/// Each of two takes one away where two are left, from a node of its own, having read
/// both; gives how many were refused, and whether none is left.
fn take_from_two(isolation: Isolation) -> (u64, bool) {
    let mut story = Story::in_memory(Background::Manual);
    let nodes = story.insert(2);
    let take = |own: usize| {
        let nodes = nodes.clone();
        act(move |worker| {
            let mut active = worker.begin(isolation)?;
            let mut left = 0;
            for node in &*nodes {
                left += active.node(*node)?.map_or(0, |seen| seen.content.number);
            }
            if left == 2 {
                add(&mut active, nodes[own], -1)?;
            }
            active.commit().map(drop)
        })
    };
    story.together([take(0), take(1)]);
    let left = story.alone(|worker| {
        let mut active = worker.snapshot()?;
        let mut left = 0;
        for node in &*nodes {
            left += active.node(*node)?.map_or(0, |seen| seen.content.number);
        }
        active.commit()?;
        Ok(left)
    });
    (conflicts(&story.judge()) as u64, left == 0)
}

/// Serializable: never may both have taken.
#[test]
fn write_skew_is_refused() {
    explore("write_skew_is_refused", &[0, 1], || {
        let (conflicts, is_skewed) = take_from_two(Isolation::Serializable);
        assert!(!is_skewed, "both have taken the last one");
        conflicts
    });
}

/// Under snapshot isolation both may; that it is met shows that the program above
/// meets it, too.
#[test]
fn write_skew_is_permitted() {
    explore("write_skew_is_permitted", &[0, 1], || u64::from(take_from_two(Isolation::Snapshot).1));
}

/// One links to a node, another one deletes it, a third looks.
#[test]
fn linking_against_deleting() {
    explore("linking_against_deleting", &[0, 1], || {
        let mut story = Story::in_memory(Background::Manual);
        let nodes = story.insert(2);
        let edge = EdgeName { source: nodes[0], edge_type: "EDGE".into(), target: nodes[1] };
        let (source, target) = (nodes[0], nodes[1]);
        let link = act(move |worker| {
            let mut active = worker.begin(Isolation::Snapshot)?;
            active.link(&edge, 1)?;
            active.commit().map(drop)
        });
        let delete = act(move |worker| {
            let mut active = worker.begin(Isolation::Snapshot)?;
            active.delete(target)?;
            active.commit().map(drop)
        });
        let look = act(move |worker| {
            let mut active = worker.snapshot()?;
            active.neighbours(source, Way::Out, Some("EDGE"))?;
            active.neighbours(target, Way::In, Some("EDGE"))?;
            active.node(target)?;
            active.count_edges("EDGE")?;
            active.commit().map(drop)
        });
        story.together([link, delete, look]);
        conflicts(&story.judge()) as u64
    });
}

/// Edges are laid anew in memory while one links, and one looks twice.
#[test]
fn compacting_beside_links() {
    explore("compacting_beside_links", &[0], || {
        let mut story = Story::in_memory(Background::Manual);
        let nodes = story.insert(3);
        let link = |from: usize, to: usize| {
            let (source, target) = (nodes[from], nodes[to]);
            let edge = EdgeName { source, edge_type: "EDGE".into(), target };
            act(move |worker| {
                let mut active = worker.begin(Isolation::Snapshot)?;
                active.link(&edge, 1)?;
                active.commit().map(drop)
            })
        };
        story.together([link(0, 1)]);
        let db = story.db.clone();
        let compact = act(move |_| db.compact().map(drop).map_err(|error| error.to_string()));
        let (first, second) = (nodes[0], nodes[1]);
        let look = act(move |worker| {
            let mut active = worker.snapshot()?;
            for _ in 0..2 {
                active.neighbours(first, Way::Out, None)?;
                active.neighbours(second, Way::Both, Some("EDGE"))?;
            }
            active.commit().map(drop)
        });
        story.together([compact, link(0, 2), link(1, 2), look]);
        conflicts(&story.judge()) as u64
    });
}

/// Two insert the same key under a label that is new to both, and one looks it up.
#[test]
fn inserting_one_key_twice() {
    explore("inserting_one_key_twice", &[0, 1], || {
        let mut story = Story::in_memory(Background::Manual);
        let insert = || {
            act(|worker| {
                let mut active = worker.begin(Isolation::Snapshot)?;
                active.insert("Node", Some("one"), 1)?;
                active.commit().map(drop)
            })
        };
        let look = act(|worker| {
            let mut active = worker.snapshot()?;
            for _ in 0..2 {
                if let Some(found) = active.get("Node", "one")? {
                    active.node(found)?;
                }
            }
            active.count("Node")?;
            active.commit().map(drop)
        });
        story.together([insert(), insert(), look]);
        conflicts(&story.judge()) as u64
    });
}

/// Readers beside two writers and the worker, who prune what nobody sees any more:
/// what a snapshot sees is that of its start, at the end as in the beginning.
#[test]
fn snapshots_beside_pruning() {
    explore("snapshots_beside_pruning", &[0, 1], || {
        let mut story = Story::in_memory(Background::Thread);
        let nodes = story.insert(2);
        let write = |amount: i64| {
            let nodes = nodes.clone();
            act(move |worker| {
                for _ in 0..2 {
                    let mut active = worker.begin(Isolation::Snapshot)?;
                    for node in &*nodes {
                        add(&mut active, *node, amount)?;
                    }
                    active.commit()?;
                }
                Ok(())
            })
        };
        let read = || {
            let nodes = nodes.clone();
            act(move |worker| {
                let mut active = worker.snapshot()?;
                for node in [0, 1, 0, 1] {
                    active.node(nodes[node])?;
                }
                active.commit().map(drop)
            })
        };
        story.together([write(1), write(2), read(), read()]);
        u64::from(conflicts(&story.judge()) > 0)
    });
}

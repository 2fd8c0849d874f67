//! Questions to the graph, each answered from one snapshot.

use std::cmp::Reverse;
use std::time::Instant;

use selvedge::prelude::*;
use selvedge::query::{Order, avg, contains, eq, exists, sum};

use crate::Failure;
use crate::model::{DependsOn, Package, Virtual};

/// Packages that most people have heard of, small ones first.
const WELL_KNOWN: [&str; 4] = ["bash", "python3", "systemd", "gnome"];

/// Asks, and prints the answers.
pub(crate) fn ask(snapshot: &Snapshot<'_>) -> Result<(), Failure> {
    let began = Instant::now();
    let needed = most_needed(snapshot, 5)?;
    println!("\nDepended on by most packages (found in {:.1?})", began.elapsed());
    for (id, degree) in needed {
        println!("  {degree:>6}  {}", key(snapshot, id)?);
    }

    println!("\n{:<12} {:>14} {:>13} {:>6}", "Closure of", "first choices", "all choices", "hops");
    let mut largest = None;
    for name in WELL_KNOWN {
        let Some(start) = find(snapshot, name)? else {
            println!("{name:<12} not in this index");
            continue;
        };
        let (first, _) = closure(snapshot, start, true)?;
        let (all, deepest) = closure(snapshot, start, false)?;
        println!("{name:<12} {first:>14} {all:>13} {:>6}", deepest.depth);
        largest = Some((name, start, deepest));
    }

    if let Some((name, start, deepest)) = largest {
        let path = snapshot.shortest_path(start, deepest.node)?.edge_type(DependsOn::TYPE).find();
        let path = path.ok_or("a walk led there, so there is a path")?;
        if path.edges() != deepest.depth as usize {
            return Err("the walk and the path disagree about the distance".into());
        }
        println!("\nA shortest path from {name} to one of the furthest");
        for id in path.nodes() {
            println!("  {}", key(snapshot, *id)?);
        }
    }
    numbers(snapshot)
}

fn key(snapshot: &Snapshot<'_>, id: NodeId) -> Result<String, Failure> {
    let node = snapshot.node(id)?.ok_or_else(|| format!("node {id} is gone"))?;
    Ok(node.key().unwrap_or("?").to_owned())
}

/// The last node with this name: of several versions the one that was loaded
/// last.
fn find(snapshot: &Snapshot<'_>, name: &str) -> Result<Option<NodeId>, Failure> {
    Ok(snapshot.index(Package::LABEL, "name")?.equal(name).reverse().ids()?.next().transpose()?)
}

/// Through indexes: the largest packages, and those with a tag.
fn numbers(snapshot: &Snapshot<'_>) -> Result<(), Failure> {
    let packages = snapshot.query().from_label(Package::LABEL);
    let largest = packages.clone().has("installed_size", exists());
    let largest = largest.order_by("installed_size", Order::Desc).limit(3);
    println!("\nThe largest packages, by: {}", largest.explain()?.trim_end());
    for row in largest.select(["name", "installed_size"]).rows()? {
        let row = row?;
        let (name, kib) = (row.typed::<&str>(0)?, row.typed::<u64>(1)?);
        println!("  {:>6} MiB  {}", kib.unwrap_or(0) >> 10, name.unwrap_or("?"));
    }
    let games = packages.has("tags", contains("role::program")).has("section", eq("games"));
    println!("Games that are programs: {}, by: {}", games.count()?, games.explain()?.trim_end());
    let needed = games.out(DependsOn::TYPE).has_label(Package::LABEL).dedup();
    let sizes = needed.aggregate([sum("installed_size"), avg("installed_size")])?;
    println!("They need packages of {:?} KiB in all, {:?} on average", sizes[0], sizes[1]);
    Ok(())
}

/// The packages and virtual names that most packages depend on.
fn most_needed(snapshot: &Snapshot<'_>, most: usize) -> Result<Vec<(NodeId, u64)>, Failure> {
    let mut needed = Vec::new();
    for label in [Package::LABEL, Virtual::LABEL] {
        for id in snapshot.scan(label)? {
            needed.push((id, snapshot.degree(id, Direction::In, DependsOn::TYPE)?));
        }
    }
    needed.sort_by_key(|(id, degree)| (Reverse(*degree), *id));
    needed.truncate(most);
    Ok(needed)
}

/// What a package depends on, directly or not: how many, and the last one found,
/// which is one of the furthest. Of alternatives only the first, or all.
fn closure(
    snapshot: &Snapshot<'_>,
    start: NodeId,
    first_choices: bool,
) -> Result<(u64, selvedge::Step), Failure> {
    let mut walk = snapshot.traverse(start)?.edge_type(DependsOn::TYPE).depth(0..=u32::MAX);
    if first_choices {
        walk = walk.filter_edges(|edge| {
            edge.get("choice").and_then(|choice| choice.as_u64()).unwrap_or(0) == 0
        });
    }
    let (mut reached, mut last) = (0, None);
    for step in walk {
        let step = step?;
        reached += u64::from(step.depth > 0);
        last = Some(step);
    }
    Ok((reached, last.ok_or("the start is gone")?))
}

//! Short transactions over nodes, keys, edges and documents.

use std::time::Instant;

use fastrand::Rng;
use selvedge::prelude::*;
use selvedge::{Result, SyncLevel};

use super::Told;
use super::entries::{self, keyspace};
use super::ground::{GUESTS, Ground, NEAR_MAX, PAYMENTS_MAX, STAYS_MAX, TEXT_MAX, guest_key};

/// Of so many transactions one is durable when it returns.
const DURABLE_ONE_IN: u32 = 50;

/// Commits until the end; gives how often.
pub(super) fn write(db: &Db, ground: &Ground, mut rng: Rng, until: Instant) -> Told<u64> {
    let (mut commits, kv) = (0, keyspace(db)?);
    while Instant::now() < until {
        if rng.u8(..3) == 0 {
            let done = entries::write(&kv, &mut rng);
            commits +=
                u64::from(done.map_err(|error| format!("a commit of entries fails: {error}"))?);
        }
        let mut options = TransactionOptions::new();
        if rng.u32(..DURABLE_ONE_IN) == 0 {
            options = options.sync(SyncLevel::Full);
        }
        let (kind, seed) = (rng.u8(..10), rng.u64(..));
        let done = db.transaction_retry_with(RetryPolicy::default(), &options, |ctx| {
            // The same again, when it is tried again.
            let mut rng = Rng::with_seed(seed);
            match kind {
                0..3 => transfer(ctx, ground, &mut rng),
                3..5 => rewrite(ctx, ground, &mut rng),
                5..7 => come_near(ctx, ground, &mut rng),
                _ => visit(ctx, ground, &mut rng),
            }
        });
        match done {
            Ok(()) => commits += 1,
            // Others came first, time and again: that is their right.
            Err(Error::RetriesExhausted { .. }) => {}
            Err(error) => return Err(format!("a commit fails: {error}")),
        }
    }
    Ok(commits)
}

fn one_of(rng: &mut Rng, nodes: &[NodeId]) -> NodeId {
    nodes[rng.usize(..nodes.len())]
}

fn balance(ctx: &Transaction<'_>, account: NodeId) -> Result<i64> {
    let node = ctx.node(account)?.expect("accounts stay");
    Ok(node.get("balance").and_then(|value| value.as_i64()).unwrap_or(i64::MIN))
}

/// Money moves, and a payment says so.
fn transfer(ctx: &mut Transaction<'_>, ground: &Ground, rng: &mut Rng) -> Result<()> {
    let (from, to) = (one_of(rng, &ground.accounts), one_of(rng, &ground.accounts));
    if from == to {
        return Ok(());
    }
    let amount = rng.i64(1..20);
    let (from_has, to_has) = (balance(ctx, from)?, balance(ctx, to)?);
    ctx.set(from, "balance", from_has.wrapping_sub(amount))?;
    ctx.set(to, "balance", to_has.wrapping_add(amount))?;
    let payments: Vec<_> =
        ctx.edges(from, Direction::Out, "PAID")?.map(|edge| edge.edge()).collect();
    if payments.len() >= PAYMENTS_MAX {
        payments.into_iter().try_for_each(|payment| ctx.unlink_edge(payment))?;
    }
    // The number of payments is a matter of the account, which was written above.
    ctx.link_nodes(from, "PAID", to, doc! { "amount": amount })?;
    Ok(())
}

/// Both halves of a pair become the same.
fn rewrite(ctx: &mut Transaction<'_>, ground: &Ground, rng: &mut Rng) -> Result<()> {
    let (left, right) = ground.pairs[rng.usize(..ground.pairs.len())];
    let text = "t".repeat(rng.usize(..TEXT_MAX));
    let document = doc! { "stamp": rng.i64(..), "text": text, "list": [rng.i64(..9), null] };
    ctx.replace(left, document.clone())?;
    ctx.replace(right, document)
}

/// Edges between places come, change and go.
fn come_near(ctx: &mut Transaction<'_>, ground: &Ground, rng: &mut Rng) -> Result<()> {
    let (one, other) = (one_of(rng, &ground.places), one_of(rng, &ground.places));
    let near: Vec<_> = ctx.neighbours(one, Direction::Out, "NEAR")?.collect();
    if near.contains(&other) {
        if rng.bool() {
            ctx.unlink_nodes(one, "NEAR", other)?;
        } else {
            ctx.link_nodes(one, "NEAR", other, doc! { "metres": rng.i64(..9000) })?;
        }
    } else if near.len() >= NEAR_MAX {
        near.into_iter().try_for_each(|near| ctx.unlink_nodes(one, "NEAR", near).map(drop))?;
    } else if rng.bool() {
        ctx.link_nodes(one, "NEAR", other, doc! {})?;
    } else {
        ctx.link_nodes(one, "NEAR", other, doc! { "metres": rng.i64(..9000) })?;
    }
    Ok(())
}

/// A guest comes with all edges, or goes with all of them.
fn visit(ctx: &mut Transaction<'_>, ground: &Ground, rng: &mut Rng) -> Result<()> {
    let key = guest_key(rng.usize(..GUESTS));
    if let Some(guest) = ctx.get_node("Guest", &key)?.map(|guest| guest.id()) {
        ctx.delete_node(guest)?;
        return Ok(());
    }
    let guest =
        ctx.insert_node("Guest", &*key, doc! { "luggage": "l".repeat(rng.usize(..200)) })?;
    for _ in 0..rng.usize(1..=STAYS_MAX) {
        ctx.link_nodes(guest, "STAYS", one_of(rng, &ground.places), doc! {})?;
    }
    Ok(())
}

//! What the load works on.

use selvedge::prelude::*;

use super::{Told, entries};

pub(super) const ACCOUNTS: usize = 400;
pub(super) const BALANCE: i64 = 1000;
/// Payments that an account has made, at most; then it forgets them.
pub(super) const PAYMENTS_MAX: usize = 8;
/// Documents come in pairs, which are written together.
pub(super) const PAIRS: usize = 300;
/// Bytes of the text in a document, at most.
pub(super) const TEXT_MAX: usize = 2000;
pub(super) const PLACES: usize = 200;
/// Edges that a place has to others, at most.
pub(super) const NEAR_MAX: usize = 6;
/// Guests that there may be; they come and go.
pub(super) const GUESTS: usize = 150;
/// Places that a guest stays at, at most.
pub(super) const STAYS_MAX: usize = 3;

/// Records that may have versions: nodes, their edges in both directions, documents of
/// edges, counts, entries; with those of guests that have gone, while someone may see
/// them.
pub(super) const RECORDS_MAX: u64 = 40_000;

/// What stays.
#[derive(Clone, Debug, Default)]
pub(super) struct Ground {
    pub(super) accounts: Vec<NodeId>,
    pub(super) pairs: Vec<(NodeId, NodeId)>,
    pub(super) places: Vec<NodeId>,
}

pub(super) fn guest_key(number: usize) -> String {
    format!("guest-{number}")
}

/// Makes it, in an empty database.
pub(super) fn lay(db: &Db) -> Told<Ground> {
    let laid = db.transaction(|ctx| {
        let mut ground = Ground::default();
        ctx.define_edge_type("PAID", EdgeTypeDef::multi().from("Saver").to("Saver"))?;
        for number in 0..ACCOUNTS {
            let key = format!("saver-{number}");
            let account = ctx.insert_node("Saver", &*key, doc! { "balance": BALANCE })?;
            ground.accounts.push(account);
        }
        for number in 0..PAIRS {
            let mut half = |which: &str| {
                let key = format!("{which}-{number}");
                ctx.insert_node("Half", &*key, doc! { "stamp": 0, "text": "" })
            };
            ground.pairs.push((half("left")?, half("right")?));
        }
        for number in 0..PLACES {
            let key = format!("place-{number}");
            ground.places.push(ctx.insert_node("Place", &*key, doc! { "name": key.clone() })?);
        }
        Ok::<_, Error>(ground)
    });
    entries::lay(db)?;
    laid.map_err(|error| format!("the ground cannot be laid: {error}"))
}

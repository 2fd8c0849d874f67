//! Transactions, interleaved, against the obvious slow database of the test kit.
//!
//! ```text
//! input = memory or disk u8 | steps: who does what
//! ```
//!
//! Several transactions and snapshots are open at a time, over nodes, keys, edges,
//! documents and entries of a keyspace, with savepoints, checkpoints, compaction; on disk the database ends in
//! every way and is opened again. Whatever is read is what the model says, and so is
//! what comes of each commit.

use arbitrary::{Result, Unstructured};
use selvedge::{Document, EdgeTypeDef, Isolation, Uniqueness, Value};
use selvedge_testkit::model::{
    Computation, DIRECTIONS, ENTRIES, Ending, Expected, FIELDS, Harness, KEYS, LABELS, Look,
    Mutation, Name, SLOTS, Shape, Slot, TYPES, Transition, Walk, Write,
};

use crate::seeds::random_seeds;

/// Steps of one input.
const STEPS_MAX: usize = 150;
/// Everything is compared so often: it takes longer than a step.
const COMPARED_EVERY: usize = 4;

/// Runs one input.
pub fn run(input: &[u8]) {
    let Some((place, input)) = input.split_first() else { return };
    let mut harness = if place % 2 == 0 { Harness::in_memory() } else { Harness::on_disk() };
    let (mut input, mut shape) = (Unstructured::new(input), Shape::default());
    for turn in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        let Ok(transition) = step(&mut input, &shape) else { break };
        if !shape.permits(&transition) {
            continue;
        }
        shape = shape.after(&transition);
        harness.step(transition);
        if turn % COMPARED_EVERY == 0 {
            harness.compare_one();
        }
        harness.compare_statistics();
    }
    harness.end();
}

/// A step that may come next, most often one inside a transaction.
fn step(input: &mut Unstructured<'_>, shape: &Shape) -> Result<Transition> {
    let slot = input.int_in_range(0..=SLOTS - 1)?;
    let kind = input.int_in_range::<u8>(0..=63)?;
    let is_free = shape.0[slot] == Slot::Empty;
    Ok(match kind {
        // What needs a free handle, or begins one.
        _ if is_free && kind < 40 => match input.arbitrary::<u8>()? % 8 {
            0 => Transition::Snapshot { slot },
            1..3 => Transition::Begin { slot, isolation: Isolation::Serializable },
            _ => Transition::Begin { slot, isolation: Isolation::Snapshot },
        },
        0..28 => Transition::Write { slot, write: write(input)? },
        28..33 => Transition::Look { slot, look: look(input)? },
        33..36 => Transition::Savepoint { slot },
        36..38 => Transition::RollbackTo { slot, savepoint: input.arbitrary()? },
        38 => Transition::Release { slot, savepoint: input.arbitrary()? },
        39 => match input.arbitrary()? {
            node @ 0..128 => Transition::GetForUpdate { slot, node },
            other => {
                let expected =
                    *input.choose(&[Expected::Seen, Expected::Latest, Expected::Absent])?;
                Transition::CheckEntry { slot, key: other % ENTRIES, expected }
            }
        },
        40..42 => {
            let expected = *input.choose(&[Expected::Seen, Expected::Latest, Expected::Absent])?;
            Transition::Check { slot, node: input.arbitrary()?, expected }
        }
        42..48 => Transition::Commit { slot },
        48 => Transition::Drop { slot },
        49..53 => Transition::Auto(write(input)?),
        53..57 => atomic(input)?,
        57 => Transition::Step { most: input.int_in_range(1..=4)? },
        58 => Transition::Compact,
        59..62 => Transition::Checkpoint,
        _ => Transition::Reopen(*input.choose(&[
            Ending::Close,
            Ending::Drop,
            Ending::Kill,
            Ending::Crash,
        ])?),
    })
}

fn name(input: &mut Unstructured<'_>, names: [Name; 3]) -> Result<Name> {
    Ok(*input.choose(&names)?)
}

fn optional(input: &mut Unstructured<'_>, names: [Name; 3]) -> Result<Option<Name>> {
    if input.arbitrary()? { Ok(Some(name(input, names)?)) } else { Ok(None) }
}

fn value(input: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match input.int_in_range::<u8>(0..=7)? {
        0 => Value::from("a string that is longer than the others, by far".repeat(3)),
        1 => Value::from(vec![1_i64, 2, 3]),
        number => Value::from(i64::from(number % 3)),
    })
}

/// Often without fields: an edge without a document has no record.
fn document(input: &mut Unstructured<'_>) -> Result<Document> {
    let mut document = Document::new();
    for _ in 0..input.int_in_range::<u8>(0..=4)?.saturating_sub(2) {
        document.set(name(input, FIELDS)?, value(input)?);
    }
    Ok(document)
}

fn entry(input: &mut Unstructured<'_>) -> Result<u8> {
    input.int_in_range(0..=ENTRIES - 1)
}

/// Few numbers, and some at whose sum there is an overflow.
fn number(input: &mut Unstructured<'_>) -> Result<u64> {
    Ok(match input.int_in_range::<u8>(0..=7)? {
        0 => u64::MAX,
        number => u64::from(number % 3),
    })
}

fn computation(input: &mut Unstructured<'_>) -> Result<Computation> {
    Ok(*input.choose(&Computation::ALL)?)
}

/// An atomic operation, most of whose checks hold.
fn atomic(input: &mut Unstructured<'_>) -> Result<Transition> {
    let (mut checks, mut mutations) = (Vec::new(), Vec::new());
    for _ in 0..input.int_in_range::<u8>(0..=3)?.saturating_sub(1) {
        let expected = match input.int_in_range::<u8>(0..=7)? {
            0 => Expected::Seen,
            1 => Expected::Absent,
            _ => Expected::Latest,
        };
        checks.push((entry(input)?, expected));
    }
    for _ in 0..input.int_in_range::<u8>(0..=4)? {
        let (key, operand) = (entry(input)?, number(input)?);
        mutations.push(match input.int_in_range::<u8>(0..=7)? {
            0 => Mutation::Delete { key },
            1 => Mutation::Set { key, value: operand },
            2..5 => Mutation::SetStamped { prefix: key, value: operand },
            _ => Mutation::Compute { key, computation: computation(input)?, operand },
        });
    }
    Ok(Transition::Atomic { checks, mutations })
}

fn write(input: &mut Unstructured<'_>) -> Result<Write> {
    Ok(match input.int_in_range::<u8>(0..=38)? {
        32..34 => Write::SetEntry { key: entry(input)?, value: number(input)? },
        34..36 => Write::DeleteEntry { key: entry(input)? },
        36..38 => Write::Compute {
            key: entry(input)?,
            computation: computation(input)?,
            operand: number(input)?,
        },
        38.. => Write::DeleteStamped { entry: input.arbitrary()? },
        0..5 => Write::Insert {
            label: name(input, LABELS)?,
            key: optional(input, KEYS)?,
            document: document(input)?,
        },
        5..8 => Write::Upsert {
            label: name(input, LABELS)?,
            key: name(input, KEYS)?,
            document: document(input)?,
        },
        8..10 => Write::Set {
            node: input.arbitrary()?,
            field: name(input, FIELDS)?,
            value: value(input)?,
        },
        10 => Write::SetMany { node: input.arbitrary()?, fields: document(input)? },
        11 => Write::Unset { node: input.arbitrary()?, field: name(input, FIELDS)? },
        12 => Write::Replace { node: input.arbitrary()?, document: document(input)? },
        13..16 => Write::Delete { node: input.arbitrary()? },
        16..18 => Write::Define {
            name: name(input, TYPES)?,
            def: match input.int_in_range::<u8>(0..=3)? {
                0 => EdgeTypeDef::unique(),
                1 => EdgeTypeDef::unique().from("A").to("B"),
                2 => EdgeTypeDef::multi().from("A"),
                _ => EdgeTypeDef::multi(),
            },
        },
        18..25 => Write::Link {
            source: input.arbitrary()?,
            edge_type: name(input, TYPES)?,
            target: input.arbitrary()?,
            document: document(input)?,
        },
        25..27 => Write::Unlink {
            source: input.arbitrary()?,
            edge_type: name(input, TYPES)?,
            target: input.arbitrary()?,
        },
        27..29 => Write::UnlinkEdge { edge: input.arbitrary()? },
        29 => Write::UpdateEdge { edge: input.arbitrary()?, fields: document(input)? },
        30 => Write::UnsetEdge { edge: input.arbitrary()?, field: name(input, FIELDS)? },
        _ => Write::ReplaceEdge { edge: input.arbitrary()?, document: document(input)? },
    })
}

fn look(input: &mut Unstructured<'_>) -> Result<Look<u8>> {
    let kind = input.int_in_range::<u8>(0..=19)?;
    let (one, other) = (input.arbitrary()?, input.arbitrary()?);
    let direction = *input.choose(&DIRECTIONS)?;
    Ok(match kind {
        0 => Look::Node(one),
        1 => Look::Contains(one),
        2 => Look::Key(name(input, LABELS)?, name(input, KEYS)?),
        3 => Look::Scan(name(input, LABELS)?),
        4 => Look::Count(name(input, LABELS)?),
        5 => Look::CountEdges(name(input, TYPES)?),
        6 => Look::NodeCount,
        7 => Look::EdgeCount,
        8 => Look::Labels,
        9 => Look::EdgeTypes,
        10 => Look::Definition(name(input, TYPES)?),
        11 => Look::Neighbours(one, direction, optional(input, TYPES)?),
        12 => Look::Degree(one, direction, optional(input, TYPES)?),
        13 => Look::Edges(one, direction, optional(input, TYPES)?),
        14 => Look::Between(one, name(input, TYPES)?, other),
        15 => {
            let from = input.int_in_range(0..=1)?;
            let depth = from..=from + input.int_in_range(0..=1)?;
            let uniqueness = *input.choose(&[Uniqueness::Node, Uniqueness::None])?;
            let edge_type = optional(input, TYPES)?;
            Look::Walk(one, Walk { direction, edge_type, depth, uniqueness })
        }
        17..19 => Look::Entry(one % ENTRIES),
        19 => {
            let from = one % ENTRIES;
            Look::Entries(from, from + 1 + other % ENTRIES)
        }
        _ => Look::Path(one, other, direction, optional(input, TYPES)?),
    })
}

/// Inputs for the start: programs in memory and on disk.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    random_seeds(&[0, 1, 2, 3], 600)
}

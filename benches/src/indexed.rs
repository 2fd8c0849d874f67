//! Property indexes, beside look-ups by key and ordered maps.

use std::collections::BTreeMap;

use selvedge::prelude::*;
use selvedge::{FieldDef, IndexDef, NodeDef};

use crate::Outcome;
use crate::kv::KeyName;
use crate::measure::Done;
use crate::random::Random;

const LABEL: &str = "Item";
/// Unique, the text of the key.
const NAME: &str = "name";
/// Each row's own number, in no order.
const NUMBER: &str = "number";
/// A number that several rows have.
const GROUP: &str = "group";
/// Rows of a group.
pub const ROWS_PER_GROUP: u64 = 10;
/// Rows of a range.
pub const ROWS_PER_RANGE: u64 = 1000;
const ROWS_PER_TRANSACTION: u64 = 10_000;

/// A database of indexed rows.
#[derive(Debug)]
pub struct IndexStore {
    db: Db,
    rows: u64,
}

/// The number of a row: a permutation.
#[must_use]
pub fn number_of(row: u64, rows: u64) -> i64 {
    // Odd, and no factor of what anybody asks for.
    ((u128::from(row) * 2_654_435_761) % u128::from(rows)) as i64
}

impl IndexStore {
    /// A database with so many rows, and no index yet.
    ///
    /// # Errors
    /// Those of the database.
    pub fn load(rows: u64) -> Outcome<Self> {
        let db = Db::in_memory();
        let fields = [FieldDef::string(NAME), FieldDef::int(NUMBER), FieldDef::int(GROUP)];
        db.define([NodeDef::new(LABEL).fields(fields)])?;
        for from in (0..rows).step_by(ROWS_PER_TRANSACTION as usize) {
            db.transaction(|ctx| {
                for row in from..rows.min(from + ROWS_PER_TRANSACTION) {
                    let (name, number) = (KeyName::new(row), number_of(row, rows));
                    let group = number / ROWS_PER_GROUP as i64;
                    let document = doc! { "name": name.as_str(), "number": number, "group": group };
                    ctx.insert_node(LABEL, name.as_str(), document)?;
                }
                Ok::<_, Error>(())
            })?;
        }
        Ok(Self { db, rows })
    }

    /// Builds the unique index over names.
    ///
    /// # Errors
    /// Those of the database.
    pub fn index_names(&self) -> Outcome<()> {
        self.db.migrate(LABEL).add_index(IndexDef::on([NAME]).unique()).run()
    }

    /// Builds the index over numbers.
    ///
    /// # Errors
    /// Those of the database.
    pub fn index_numbers(&self) -> Outcome<()> {
        self.db.migrate(LABEL).add_index(IndexDef::on([NUMBER])).run()
    }

    /// Builds the index over groups.
    ///
    /// # Errors
    /// Those of the database.
    pub fn index_groups(&self) -> Outcome<()> {
        self.db.migrate(LABEL).add_index(IndexDef::on([GROUP])).run()
    }

    /// Does the maintenance that is due: frees what the build has left.
    pub fn settle(&self) {
        while self.db.step(100_000) {}
    }

    fn number(node: Option<selvedge::Node<'_>>) -> u64 {
        let number = node.and_then(|node| node.get(NUMBER)?.as_i64());
        number.expect("every row was loaded") as u64
    }

    /// Opens a snapshot, finds a row by its name through the unique index, reads a field,
    /// closes it.
    ///
    /// # Errors
    /// Those of the database.
    #[inline(never)]
    pub fn find_by_name(&self, random: &mut Random, times: u64) -> Outcome<Done> {
        let mut sum = 0_u64;
        for _ in 0..times {
            let name = KeyName::new(random.below(self.rows));
            let find = |snapshot: &Snapshot<'_>| {
                let found = snapshot.index(LABEL, NAME)?.find(name.as_str())?;
                Ok::<_, Error>(Self::number(found))
            };
            sum = sum.wrapping_add(self.db.view(find)?);
        }
        Ok(Done::new(times, sum))
    }

    /// As [`find_by_name`](Self::find_by_name), a hundred rows in each snapshot.
    ///
    /// # Errors
    /// Those of the database.
    #[inline(never)]
    pub fn find100_by_name(&self, random: &mut Random, times: u64) -> Outcome<Done> {
        let mut sum = 0_u64;
        for _ in 0..times / 100 {
            sum = self.db.view(|snapshot| {
                let index = snapshot.index(LABEL, NAME)?;
                (0..100).try_fold(sum, |sum, _| {
                    let name = KeyName::new(random.below(self.rows));
                    Ok::<_, Error>(sum.wrapping_add(Self::number(index.find(name.as_str())?)))
                })
            })?;
        }
        Ok(Done::new(times / 100 * 100, sum))
    }

    /// The same by the key, in one snapshot each or a hundred in one.
    ///
    /// # Errors
    /// Those of the database.
    #[inline(never)]
    pub fn get_by_key(&self, random: &mut Random, times: u64, together: u64) -> Outcome<Done> {
        let mut sum = 0_u64;
        for _ in 0..times / together {
            sum = self.db.view(|snapshot| {
                (0..together).try_fold(sum, |sum, _| {
                    let name = KeyName::new(random.below(self.rows));
                    let node = snapshot.get_node(LABEL, name.as_str())?;
                    Ok::<_, Error>(sum.wrapping_add(Self::number(node)))
                })
            })?;
        }
        Ok(Done::new(times / together * together, sum))
    }

    /// The ids of ranges of rows; counts rows.
    ///
    /// # Errors
    /// Those of the database.
    #[inline(never)]
    pub fn ranges(&self, random: &mut Random, times: u64) -> Outcome<Done> {
        let (mut rows, mut sum) = (0, 0_u64);
        for _ in 0..times {
            let from = random.below(self.rows - ROWS_PER_RANGE) as i64;
            self.db.view(|snapshot| {
                let index = snapshot.index(LABEL, NUMBER)?;
                for id in index.range(from..from + ROWS_PER_RANGE as i64).ids()? {
                    rows += 1;
                    sum = sum.wrapping_add(id?.get());
                }
                Ok::<_, Error>(())
            })?;
        }
        Ok(Done::new(rows, sum))
    }

    /// The ids of all rows of random groups; counts rows.
    ///
    /// # Errors
    /// Those of the database.
    #[inline(never)]
    pub fn groups(&self, random: &mut Random, times: u64) -> Outcome<Done> {
        let (mut rows, mut sum) = (0, 0_u64);
        for _ in 0..times {
            let group = random.below(self.rows / ROWS_PER_GROUP) as i64;
            self.db.view(|snapshot| {
                for id in snapshot.index(LABEL, GROUP)?.equal(group).ids()? {
                    rows += 1;
                    sum = sum.wrapping_add(id?.get());
                }
                Ok::<_, Error>(())
            })?;
        }
        Ok(Done::new(rows, sum))
    }

    /// The limit: ordered maps from the same numbers to the same ids.
    ///
    /// # Errors
    /// Those of the database.
    pub fn maps(&self) -> Outcome<Maps> {
        self.db.view(|snapshot| {
            let (mut numbers, mut groups) = (BTreeMap::new(), BTreeMap::new());
            for id in snapshot.scan(LABEL)? {
                let number = Self::number(snapshot.node(id)?) as i64;
                numbers.insert(number, id.get());
                groups.insert((number / ROWS_PER_GROUP as i64, id.get()), ());
            }
            Ok(Maps { numbers, groups, rows: self.rows })
        })
    }
}

/// Ordered maps in memory.
#[derive(Debug)]
pub struct Maps {
    numbers: BTreeMap<i64, u64>,
    groups: BTreeMap<(i64, u64), ()>,
    rows: u64,
}

impl Maps {
    /// As [`IndexStore::ranges`].
    #[must_use]
    #[inline(never)]
    pub fn ranges(&self, random: &mut Random, times: u64) -> Done {
        let (mut rows, mut sum) = (0, 0_u64);
        for _ in 0..times {
            let from = random.below(self.rows - ROWS_PER_RANGE) as i64;
            for (_, id) in self.numbers.range(from..from + ROWS_PER_RANGE as i64) {
                rows += 1;
                sum = sum.wrapping_add(*id);
            }
        }
        Done::new(rows, sum)
    }

    /// As [`IndexStore::groups`].
    #[must_use]
    #[inline(never)]
    pub fn groups(&self, random: &mut Random, times: u64) -> Done {
        let (mut rows, mut sum) = (0, 0_u64);
        for _ in 0..times {
            let group = random.below(self.rows / ROWS_PER_GROUP) as i64;
            for ((_, id), ()) in self.groups.range((group, 0)..(group + 1, 0)) {
                rows += 1;
                sum = sum.wrapping_add(*id);
            }
        }
        Done::new(rows, sum)
    }
}

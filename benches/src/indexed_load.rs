//! Loading rows into a label with indexes, beside one without.

use selvedge::prelude::*;
use selvedge::{FieldDef, IndexDef, NodeDef};

use crate::Outcome;
use crate::kv::KeyName;
use crate::measure::Done;
use crate::random::Random;

const LABEL: &str = "Row";
/// The paths of indexes, in the order in which they are added: numbers in no order, a
/// number that ten share, a text that thousands share, moments that grow, a unique text.
const INDEXED: [&str; 5] = ["number", "group", "city", "time", "name"];
const CITIES: u64 = 50;

/// How rows are loaded.
#[derive(Clone, Copy, Debug)]
pub struct IndexedLoad {
    /// Rows in all.
    pub rows: u64,
    /// Indexes of the label, five at most.
    pub indexes: usize,
    /// Rows of a transaction.
    pub rows_per_transaction: u64,
}

impl IndexedLoad {
    /// Loads them into a new database in memory; counts rows.
    ///
    /// # Errors
    /// Those of the database.
    #[inline(never)]
    pub fn run(self, random: &mut Random) -> Outcome<Done> {
        let Self { rows, indexes, rows_per_transaction } = self;
        let db = Db::in_memory();
        let text = |name| FieldDef::string(name);
        let fields = [text("name"), text("city")].into_iter();
        let fields = fields.chain(["number", "group", "time"].map(FieldDef::int));
        let indexed = INDEXED[..indexes].iter().map(|path| {
            let index = IndexDef::on([*path]);
            if *path == "name" { index.unique() } else { index }
        });
        db.define([indexed.fold(NodeDef::new(LABEL).fields(fields), NodeDef::index)])?;
        for from in (0..rows).step_by(rows_per_transaction as usize) {
            db.transaction(|ctx| {
                for row in from..rows.min(from + rows_per_transaction) {
                    let (name, number) = (KeyName::new(row), random.below(1 << 40) as i64);
                    let document = doc! {
                        "name": name.as_str(),
                        "city": format!("city {}", random.below(CITIES)),
                        "number": number,
                        "group": number % (rows / 10).max(1) as i64,
                        "time": row as i64 * 1000,
                    };
                    ctx.insert_node(LABEL, name.as_str(), document)?;
                }
                Ok::<_, Error>(())
            })?;
        }
        let loaded = db.view(|snapshot| snapshot.count(LABEL))?;
        Ok(Done::new(rows, loaded))
    }
}

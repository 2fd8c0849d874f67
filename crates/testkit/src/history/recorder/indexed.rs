//! Reading through indexes, and building them beside others.

use selvedge::{Error, ErrorKind, FieldDef, IndexDef, NodeDef, Read, Value};

use super::{Active, Done, Reader, Worker, fault};
use crate::history::txn::{NodeId, NumberRange, Op};

/// The names of the indexes: by number, and by list.
const BY_NUMBER: &str = "number";
const BY_LIST: &str = "list";

/// What is read of an index that there is; `None` while there is none.
fn unless_building<T>(read: Result<T, Error>) -> Result<Option<T>, Error> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.kind() == ErrorKind::Input => Ok(None),
        Err(error) => Err(error),
    }
}

fn seen_ranked(reader: &impl Read, range: &NumberRange) -> Result<Option<Vec<NodeId>>, Error> {
    let index = unless_building(reader.index(&range.label, BY_NUMBER))?;
    let Some(index) = index else { return Ok(None) };
    let mut scan = index.range(range.least..=range.most).limit(range.limit.unwrap_or(usize::MAX));
    if range.is_backward {
        scan = scan.reverse();
    }
    scan.ids()?.collect::<Result<_, _>>().map(Some)
}

fn seen_holder(reader: &impl Read, label: &str, list: &[i64]) -> Result<Option<NodeId>, Error> {
    let list: Vec<Value> = list.iter().map(|element| Value::from(*element)).collect();
    Ok(reader.index(label, BY_LIST)?.find(list)?.map(|node| node.id()))
}

impl Worker {
    /// Indexes the nodes of a label by number, and by list, which no two share.
    ///
    /// # Errors
    /// For no good reason.
    pub fn define_indexed(&self, label: &'static str) -> Done {
        let fields = ["mark", "number", "list", "mirror"].map(FieldDef::any);
        let def = NodeDef::new(label).fields(fields).index(IndexDef::on([BY_NUMBER]));
        let def = def.index(IndexDef::on([BY_LIST]).unique());
        self.db.define([def]).map_err(fault("a definition"))
    }

    /// Whether it is the one that builds indexes.
    #[must_use]
    pub fn builds(&self) -> bool {
        self.pen.thread == 0
    }

    /// Drops the index by number, and builds it beside all others.
    ///
    /// # Errors
    /// For no good reason.
    pub fn rebuild(&self, label: &'static str) -> Done {
        let dropped = self.db.migrate(label).drop_index(BY_NUMBER).run();
        dropped.map_err(fault("dropping an index"))?;
        let built = self.db.migrate(label).add_index(IndexDef::on([BY_NUMBER])).run();
        built.map_err(fault("building an index"))
    }
}

impl Active {
    /// The nodes of a range of numbers; `None` while the index is not there.
    ///
    /// # Errors
    /// For no good reason.
    pub fn ranked(&mut self, range: NumberRange) -> Done<Option<Vec<NodeId>>> {
        let seen = match &self.reader {
            Reader::Transaction(reader) => seen_ranked(reader, &range),
            Reader::Snapshot(reader) => seen_ranked(reader, &range),
        };
        let seen = seen.map_err(fault("a read"))?;
        if let Some(seen) = seen.clone() {
            self.note(Op::Ranked { range, seen });
        }
        Ok(seen)
    }

    /// The node that has a list.
    ///
    /// # Errors
    /// For no good reason.
    pub fn holder(&mut self, label: &'static str, list: Vec<i64>) -> Done<Option<NodeId>> {
        let seen = match &self.reader {
            Reader::Transaction(reader) => seen_holder(reader, label, &list),
            Reader::Snapshot(reader) => seen_holder(reader, label, &list),
        };
        let seen = seen.map_err(fault("a read"))?;
        self.note(Op::Holder { label: label.into(), list, seen });
        Ok(seen)
    }
}

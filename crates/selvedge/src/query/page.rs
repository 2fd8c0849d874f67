//! Pages: some rows, and a cursor from where the next page goes on.
//!
//! A cursor names the last row by the values that the query sorts by, and by the
//! id of its node. So it holds for any snapshot: rows that come or go before it
//! shift nothing, and the node itself may be gone.
//!
//! ```text
//! cursor := version (1 byte) check (8) id (8, big-endian) document
//! ```
//!
//! The document has the values, under their places. The check is a hash of the
//! query's text and of what follows, so that a cursor of another query is told from
//! one of this, and so is damage.

use std::fmt;

use selvedge_base::NodeId;
use selvedge_base::limits::PAGE_CURSOR_BYTES_MAX;
use selvedge_encoding::{DocRef, Document, FieldPath, ValueRef, encode};
use selvedge_graph::Node;

use crate::error::Result;
use crate::hex;
use crate::query::builder::Query;
use crate::query::error::QueryError;
use crate::query::field::Field;
use crate::query::index_access::IndexPlace;
use crate::query::plan::{Access, Plan, plan};
use crate::query::position::{Position, Stream, Tracking};
use crate::query::sort::{First, SortKeys, SortValues, SortedBy};
use crate::query::step::Step;

/// Some rows of a query.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T> {
    /// The rows, in order.
    pub rows: Vec<T>,
    /// From where the next page goes on; `None` behind the last row.
    pub cursor: Option<PageCursor>,
}

/// Where a page ended. It is bytes, or text, for whoever keeps it, and holds for
/// any snapshot of the database, but for the same query only.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PageCursor(Vec<u8>);

const VERSION: u8 = 1;
/// Bytes before the document.
const HEAD_BYTES: usize = 1 + 8 + 8;

impl PageCursor {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A cursor from the bytes of one.
    ///
    /// # Errors
    /// [`QueryError::Cursor`] if they cannot be those of a cursor.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, QueryError> {
        let refused = |why| Err(QueryError::Cursor { why });
        match bytes {
            _ if bytes.len() > PAGE_CURSOR_BYTES_MAX => refused("it is too long"),
            [VERSION, ..] if bytes.len() < HEAD_BYTES => refused("it is cut short"),
            [VERSION, ..] => Ok(Self(bytes.to_vec())),
            _ => refused("it is no cursor, or one of a newer version"),
        }
    }

    fn new(query: &str, values: &SortValues<'_>, node: NodeId) -> Result<Self, QueryError> {
        let mut document = Document::new();
        for (place, value) in values.iter().enumerate() {
            if let Some(value) = value {
                document.set(place.to_string(), value.to_value());
            }
        }
        let mut body = node.get().to_be_bytes().to_vec();
        body.extend(encode(&document)?);
        let mut bytes = vec![VERSION];
        bytes.extend(check(query, &body).to_be_bytes());
        bytes.extend(body);
        if bytes.len() > PAGE_CURSOR_BYTES_MAX {
            let why =
                "its last row has values that are too long for a cursor: sort by shorter ones";
            return Err(QueryError::Page { why });
        }
        Ok(Self(bytes))
    }

    /// What it holds, if it is one of this query.
    fn read(&self, query: &str, keys: usize) -> Result<(SortValues<'_>, NodeId), QueryError> {
        let refused = |why| QueryError::Cursor { why };
        let (head, body) = self.0.split_at_checked(9).ok_or(refused("it is cut short"))?;
        if head[1..] != check(query, body).to_be_bytes() {
            return Err(refused("it is of another query, or damaged"));
        }
        let (id, document) = body.split_first_chunk::<8>().ok_or(refused("it is cut short"))?;
        let document = DocRef::parse(document).map_err(|_| refused("it is damaged"))?;
        let values = (0..keys).map(|place| document.get(&place.to_string())).collect();
        Ok((values, NodeId::new(u64::from_be_bytes(*id))))
    }
}

/// A hash that is the same in every process and version (FNV-1a, 64 bits).
fn check(query: &str, body: &[u8]) -> u64 {
    let bytes = query.bytes().chain([0]).chain(body.iter().copied());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

impl fmt::Display for PageCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(&self.0, f)
    }
}

impl fmt::Debug for PageCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageCursor({self})")
    }
}

impl std::str::FromStr for PageCursor {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        let why = "its text is not hexadecimal";
        Self::from_bytes(&hex::parse(text).ok_or(QueryError::Cursor { why })?)
    }
}

impl<'a> Query<'a> {
    /// A page of nodes: the first so many behind a cursor, or of all.
    ///
    /// Pages hold each node once, in the order of [`order_by`](Query::order_by) if
    /// nothing but tests and `dedup` follows that, otherwise in that of ids; the last
    /// page has no cursor. The next page may be asked of a later snapshot.
    ///
    /// A scan of a label, and the range of an index that gives the order, go on
    /// from the cursor. Otherwise the query runs anew for each page, and holds about
    /// twice the rows of one.
    ///
    /// ```
    /// use selvedge::prelude::*;
    /// use selvedge::query::{Order, PageCursor};
    ///
    /// let db = Db::in_memory();
    /// for (key, age) in [("a", 30), ("b", 50), ("c", 40)] {
    ///     db.insert_node("User", key, doc! { "age": age })?;
    /// }
    /// let oldest = |cursor: Option<String>| {
    ///     let cursor = cursor.map(|text| text.parse::<PageCursor>()).transpose()?;
    ///     let snapshot = db.snapshot()?;
    ///     let users = snapshot.query().from_label("User").order_by("age", Order::Desc);
    ///     let page = users.page(cursor.as_ref(), 2)?;
    ///     let keys: String = page.rows.iter().filter_map(|node| node.key()).collect();
    ///     Ok::<_, Error>((keys, page.cursor.map(|cursor| cursor.to_string())))
    /// };
    /// let (keys, cursor) = oldest(None)?;
    /// assert_eq!(keys, "bc");
    /// db.insert_node("User", "d", doc! { "age": 60 })?;
    /// assert_eq!(oldest(cursor)?, ("a".to_owned(), None));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What is wrong with the query, `skip` or `limit` behind its last hop included:
    /// these have no place beside pages. [`QueryError::Cursor`] if the cursor is not
    /// one of this query. A document that is damaged on disk.
    pub fn page(&self, after: Option<&PageCursor>, rows: usize) -> Result<Page<Node<'a>>> {
        let view = self.source.view;
        let mut page = self.page_of(after, rows, &[], |at| at.read(&view))?;
        let rows = page.rows.drain(..).flatten().collect();
        Ok(Page { rows, cursor: page.cursor })
    }

    /// A page of what `read` makes of nodes.
    pub(crate) fn page_of<T>(
        &self,
        after: Option<&PageCursor>,
        rows: usize,
        fields: &[Field],
        read: impl Fn(&Position<'a>) -> Result<T>,
    ) -> Result<Page<T>> {
        self.check()?;
        let (steps, keys) = self.paged(rows, fields)?;
        let text = self.text();
        let sort = SortKeys::new(keys.clone());
        let after = after.map(|cursor| cursor.read(&text, keys.len())).transpose()?;
        let after = after.as_ref();
        let (stream, is_sorted) = self.stream_beyond(&steps, &keys, after)?;
        let run = self.run(Tracking::Nothing);
        let mut first = First::new(sort.clone(), Some(rows.saturating_add(1)), self.held_max, true);
        let mut found = 0;
        for at in stream {
            let at = at?;
            let values = sort.read(&run, &at)?;
            let is_behind = after.is_none_or(|(of_cursor, node)| {
                sort.compare((&values, at.node), (of_cursor, *node)).is_gt()
            });
            if is_behind {
                first.push(values, at)?;
                found += 1;
                if is_sorted && found > rows {
                    break;
                }
            }
        }
        let mut found = first.into_sorted();
        let is_last = found.len() <= rows;
        found.truncate(rows);
        let end = found.last().filter(|_| !is_last);
        let cursor = end.map(|(values, at)| PageCursor::new(&text, values, at.node)).transpose()?;
        let rows = found.iter().map(|(_, at)| read(at)).collect::<Result<_>>()?;
        Ok(Page { rows, cursor })
    }

    /// The steps without the last sort, and what that sorts by.
    fn paged(
        &self,
        rows: usize,
        fields: &[Field],
    ) -> Result<(Vec<Step<'a>>, SortedBy), QueryError> {
        let refused = |why| Err(QueryError::Page { why });
        if rows == 0 {
            return refused("a page has at least one row");
        }
        let mut steps = self.steps.clone();
        let mut behind_hops =
            steps.iter().rev().take_while(|at| !matches!(at, Step::Hop(_) | Step::Repeat(..)));
        if behind_hops.any(|step| matches!(step, Step::Skip(_) | Step::Limit(_))) {
            return refused("skip or limit behind its last hop; cursor and rows take their place");
        }
        while matches!(steps.last(), Some(Step::Distinct)) {
            steps.pop();
        }
        let keeps_order = |step: &Step<'_>| step.is_test() || matches!(step, Step::Distinct);
        let at = steps.iter().rposition(|step| !keeps_order(step));
        // Sorts by fields of nodes leave the copies of a node in the order in which they
        // came, so what is behind this one does not mind if it is made at the end.
        let at = at.filter(|at| matches!(steps[*at], Step::Sort(_)));
        let keys = match at.map(|at| steps.remove(at)) {
            Some(Step::Sort(keys)) => keys,
            _ => Vec::new(),
        };
        let mut read = keys.iter().map(|(field, _)| field).chain(fields);
        if read.any(Field::reads_edge) {
            return refused("it sorts by, or selects, fields of edges; pages hold nodes");
        }
        Ok((steps, keys))
    }

    /// The text that tells this query from others.
    fn text(&self) -> String {
        let mut text = format!("{:?}", self.start);
        let written = self.steps.iter().try_for_each(|step| step.write(0, &mut text));
        written.expect("a string takes all that is written");
        text
    }

    /// What the steps give, without what surely lies before a place; and whether it
    /// comes in the order of the page.
    fn stream_beyond(
        &self,
        steps: &[Step<'a>],
        keys: &SortedBy,
        after: Option<&(SortValues<'_>, NodeId)>,
    ) -> Result<(Stream<'a>, bool)> {
        let run = self.run(Tracking::Nothing);
        let mut steps = steps.to_vec();
        if keys.is_empty() {
            let Plan { access, steps, .. } = plan(&self.start, &steps, self.source.indexes);
            let keeps_order = steps.iter().all(Step::is_test);
            if let Access::Label { label } = &access
                && keeps_order
            {
                let scan = self.source.view.scan(label);
                if scan.is_ascending() {
                    let scan = match after {
                        Some((_, node)) => scan.after(*node),
                        None => scan,
                    };
                    let scan = Box::new(scan.map(|id| Ok(Position::start(id))));
                    return Ok((run.steps(scan, steps.into()), true));
                }
            }
            return Ok((run.plan(Plan { access, steps, sorted: false })?, false));
        }
        // Told to the planner, since an index may do it; not done here otherwise.
        steps.push(Step::Sort(keys.to_vec()));
        let mut plan = plan(&self.start, &steps, self.source.indexes);
        let is_sorted = plan.sorted && plan.steps.iter().all(Step::is_local);
        if !plan.sorted {
            plan.steps.pop_back();
        } else if let (Access::Index(range), Some((values, node))) = (&mut plan.access, after) {
            range.after = index_place(keys, values, &range.free_paths(), *node);
        }
        Ok((run.plan(plan)?, is_sorted))
    }
}

/// The place of a cursor in an index over these paths, sorted by by the keys.
fn index_place(
    keys: &SortedBy,
    values: &SortValues<'_>,
    paths: &[&FieldPath],
    node: NodeId,
) -> Option<IndexPlace> {
    let value_of = |path: &&FieldPath| {
        let at = keys.iter().position(|(field, _)| field.path() == Some(*path))?;
        values.get(at)?.as_ref().map(ValueRef::to_value)
    };
    Some(IndexPlace { values: paths.iter().map(value_of).collect::<Option<_>>()?, node })
}

//! Which entries of an index are read, and reading them.

use std::fmt;
use std::iter::FusedIterator;
use std::ops::{Bound, RangeBounds};

use selvedge_base::NodeId;
use selvedge_base::hash::Set;
use selvedge_base::limits::INDEX_RANGES_MAX;
use selvedge_encoding::{Value, ordered_kind, put_ordered_prefix};
use selvedge_graph::{GraphError, Node};
use selvedge_schema::{IndexKey, ordered_values};
use smallvec::SmallVec;

use crate::error::Result;
use crate::index::damaged;
use crate::index::place::Place;
use crate::index::view::IndexView;
use crate::kv::error::KvError;
use crate::kv::reading::KvRange;
use crate::kv::selection::Cursor;
use crate::kv::space::{FullBounds, FullKey, Space};

/// Entries of an index, in its order: from [`IndexView::scan`] and its likes. The first
/// paths may be bound to values by [`equal`](Self::equal) or [`within`](Self::within),
/// and the one behind them to a [`range`](Self::range) or [`prefix`](Self::prefix).
///
/// Nodes with equal values come in the order of their ids. A node comes once, also if
/// several elements of its list (`tags[]`) are among the entries.
#[derive(Clone)]
#[must_use = "nothing is read until it is asked for"]
pub struct IndexScan<'a> {
    view: IndexView<'a>,
    /// What the values of the first paths are, ascending.
    bound: Vec<IndexKey>,
    /// How many paths these are.
    paths: usize,
    /// Between which values the path behind them lies, as what stands behind theirs.
    range: Option<(Bound<IndexKey>, Bound<IndexKey>)>,
    reverse: bool,
    limit: usize,
    after: Option<Cursor>,
    /// A node may have several entries here.
    repeats: bool,
    misuse: Option<GraphError>,
}

const TOO_MANY: &str = "it has no path left to bind";
const BEHIND_RANGE: &str = "only the last of its paths that are bound can be a range";

impl<'a> IndexScan<'a> {
    pub(crate) fn new(view: IndexView<'a>) -> Self {
        let repeats = view.def.paths().iter().any(|path| path.is_each());
        Self {
            view,
            bound: vec![IndexKey::new()],
            paths: 0,
            range: None,
            reverse: false,
            limit: usize::MAX,
            after: None,
            repeats,
            misuse: None,
        }
    }

    /// Binds the next path to a value.
    pub fn equal(self, value: impl Into<Value>) -> Self {
        self.within([value])
    }

    /// Binds the next path to one of several values. The numbers of values of all paths
    /// multiply, up to [`INDEX_RANGES_MAX`].
    pub fn within<V: Into<Value>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        let values = values.into_iter().map(|value| ordered_values(&[value.into()]));
        let mut values: Vec<IndexKey> = values.collect();
        values.sort_unstable();
        values.dedup();
        if self.next_path_is_each() && values.len() == 1 {
            self.repeats = false;
        }
        self.take_path();
        let ranges = self.bound.len().saturating_mul(values.len());
        if ranges > INDEX_RANGES_MAX {
            let what = "the number of ranges of an index scan, which is the product of its lists \
                        of values,";
            let (actual, limit) = (ranges as u64, INDEX_RANGES_MAX as u64);
            self.misuse.get_or_insert(GraphError::Limit { what, actual, limit });
            return self;
        }
        let behind = |key: &IndexKey, value: &IndexKey| {
            let mut both = key.clone();
            both.extend_from_slice(value);
            both
        };
        let keys = self.bound.iter().flat_map(|key| values.iter().map(move |v| behind(key, v)));
        self.bound = keys.collect();
        self
    }

    /// Binds the next path to a range of values. A side without a bound ends with the
    /// kind of the other one: `30..` are the numbers from 30 on, no strings. `..` is
    /// everything.
    pub fn range<V: Into<Value> + Clone>(mut self, range: impl RangeBounds<V>) -> Self {
        let value = |bound: Bound<&V>| bound.map(|value| value.clone().into());
        let (start, end) = (value(range.start_bound()), value(range.end_bound()));
        self.take_path();
        self.range = Some((lower(&start, &end), upper(&start, &end)));
        self
    }

    /// Binds the next path to the strings with this beginning.
    pub fn prefix(mut self, text: &str) -> Self {
        let mut start = Vec::new();
        put_ordered_prefix(text, &mut start);
        let start = IndexKey::from_vec(start);
        self.take_path();
        self.range = Some((Bound::Included(start.clone()), beyond(&start)));
        self
    }

    fn next_path_is_each(&self) -> bool {
        self.view.def.paths().get(self.paths).is_some_and(|path| path.is_each())
    }

    /// One path more is bound.
    fn take_path(&mut self) {
        let reason = if self.range.is_some() {
            Some(BEHIND_RANGE)
        } else {
            (self.paths == self.view.def.paths().len()).then_some(TOO_MANY)
        };
        if let Some(reason) = reason {
            let index = self.view.def.name().to_owned();
            self.misuse.get_or_insert(GraphError::IndexUse { index, reason });
        }
        self.paths += 1;
    }

    /// From the last entry to the first.
    pub fn reverse(self) -> Self {
        Self { reverse: !self.reverse, ..self }
    }

    /// Nodes at most.
    pub fn limit(self, limit: usize) -> Self {
        Self { limit: limit.min(self.limit), ..self }
    }

    /// Goes on behind where [`IndexIds::cursor`] was, in the same direction. A node with
    /// several entries may come again behind a cursor.
    pub fn after(self, cursor: Cursor) -> Self {
        Self { after: Some(cursor), ..self }
    }

    /// The ids of the nodes.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) if more paths are bound than there are, one
    /// behind a range, or to too many values; [`Error::Kv`](crate::Error::Kv) for a cursor of another index.
    pub fn ids(self) -> Result<IndexIds<'a>> {
        if let Some(misuse) = self.misuse {
            return Err(misuse.into());
        }
        let after = self.after.as_ref().map(|after| Space::SYSTEM.key(after.bytes()));
        if after.as_ref().is_some_and(|after| self.view.place.values_of(after).is_none()) {
            return Err(KvError::Cursor.into());
        }
        let mut ranges: Vec<FullBounds> = Vec::with_capacity(self.bound.len());
        for bound in &self.bound {
            let (mut start, mut end) = self.range_behind(bound);
            if let Some(after) = &after {
                if !self.reverse && *key_of(&start) <= **after {
                    start = Bound::Excluded(after.clone());
                } else if self.reverse && *key_of(&end) >= **after {
                    end = Bound::Excluded(after.clone());
                }
            }
            ranges.push(FullBounds::new(start, end));
        }
        if !self.reverse {
            // Taken from the end.
            ranges.reverse();
        }
        Ok(IndexIds {
            view: self.view,
            ranges,
            current: None,
            reverse: self.reverse,
            left: self.limit,
            last: self.after,
            seen: self.repeats.then(Set::default),
        })
    }

    /// The bounds of the keys of entries whose first values are `bound`.
    fn range_behind(&self, bound: &IndexKey) -> (Bound<FullKey>, Bound<FullKey>) {
        let all = self.view.place.values(bound);
        let behind = |key: &IndexKey| {
            let mut both = all.clone();
            both.extend_from_slice(key);
            both
        };
        match &self.range {
            None => (Bound::Included(all.clone()), beyond(&all)),
            Some((start, end)) => {
                let end = match end {
                    Bound::Unbounded => beyond(&all),
                    end => end.as_ref().map(behind),
                };
                (start.as_ref().map(behind), end)
            }
        }
    }

    /// The nodes.
    ///
    /// # Errors
    /// As [`ids`](Self::ids); each node may be an error if it is damaged on disk.
    pub fn nodes(self) -> Result<impl Iterator<Item = Result<Node<'a>>>> {
        let view = self.view.clone();
        Ok(self.ids()?.map(move |id| view.node_of(id?)))
    }

    /// The first node.
    ///
    /// # Errors
    /// As [`nodes`](Self::nodes).
    pub fn first(self) -> Result<Option<Node<'a>>> {
        self.limit(1).nodes()?.next().transpose()
    }

    /// How many nodes there are. Walks over the entries, and not to the nodes.
    ///
    /// # Errors
    /// As [`ids`](Self::ids).
    pub fn count(self) -> Result<u64> {
        self.ids()?.try_fold(0, |count, id| id.map(|_| count + 1))
    }
}

impl fmt::Debug for IndexScan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { view, bound, range, reverse, limit, .. } = self;
        f.debug_struct("IndexScan")
            .field("def", &view.def)
            .field("bound", bound)
            .field("range", range)
            .field("reverse", reverse)
            .field("limit", limit)
            .finish_non_exhaustive()
    }
}

type ValueBound = Bound<Value>;

fn lower(start: &ValueBound, end: &ValueBound) -> Bound<IndexKey> {
    match (start, end) {
        (Bound::Included(value), _) => Bound::Included(ordered_values([value])),
        // Behind all entries with the value.
        (Bound::Excluded(value), _) => match beyond(&ordered_values([value])) {
            Bound::Excluded(key) => Bound::Included(key),
            bound => bound,
        },
        (Bound::Unbounded, Bound::Included(end) | Bound::Excluded(end)) => {
            Bound::Included(IndexKey::from_slice(&[ordered_kind(end).start]))
        }
        (Bound::Unbounded, Bound::Unbounded) => Bound::Included(IndexKey::new()),
    }
}

fn upper(start: &ValueBound, end: &ValueBound) -> Bound<IndexKey> {
    match (start, end) {
        (_, Bound::Included(value)) => beyond(&ordered_values([value])),
        (_, Bound::Excluded(value)) => Bound::Excluded(ordered_values([value])),
        (Bound::Included(start) | Bound::Excluded(start), Bound::Unbounded) => {
            Bound::Excluded(IndexKey::from_slice(&[ordered_kind(start).end]))
        }
        (Bound::Unbounded, Bound::Unbounded) => Bound::Unbounded,
    }
}

/// Behind everything that begins with `key`.
fn beyond<const N: usize>(key: &SmallVec<[u8; N]>) -> Bound<SmallVec<[u8; N]>> {
    let Some(last) = key.iter().rposition(|byte| *byte != u8::MAX) else { return Bound::Unbounded };
    let mut next = SmallVec::from_slice(&key[..=last]);
    next[last] += 1;
    Bound::Excluded(next)
}

/// All entries of an index.
pub(crate) fn everything(place: &Place) -> FullBounds {
    let start = place.values(&[]);
    let end = beyond(&start);
    FullBounds::new(Bound::Included(start), end)
}

fn key_of(bound: &Bound<FullKey>) -> &[u8] {
    match bound {
        Bound::Included(key) | Bound::Excluded(key) => key,
        Bound::Unbounded => &[],
    }
}

/// The ids of nodes in the order of an index, from [`IndexScan::ids`].
pub struct IndexIds<'a> {
    view: IndexView<'a>,
    /// Still to be read, the next one last.
    ranges: Vec<FullBounds>,
    current: Option<KvRange<'a>>,
    reverse: bool,
    left: usize,
    /// Behind where reading has come.
    last: Option<Cursor>,
    /// Nodes that were given, if one may come again.
    seen: Option<Set<NodeId>>,
}

impl IndexIds<'_> {
    /// Where reading has come; `None` before the first node.
    #[must_use]
    pub fn cursor(&self) -> Option<Cursor> {
        self.current.as_ref().and_then(KvRange::cursor).or_else(|| self.last.clone())
    }

    /// The node of the next entry.
    fn next_entry(&mut self) -> Option<Result<NodeId>> {
        loop {
            if let Some(entry) = self.current.as_mut().and_then(Iterator::next) {
                let place = &self.view.place;
                let id = entry.map(|entry| place.node(entry.key_bytes(), entry.bytes()));
                return Some(id.and_then(|id| id.ok_or_else(|| damaged(&self.view.def))));
            }
            self.last = self.cursor();
            let bounds = self.ranges.pop()?;
            self.current = Some(self.view.entries.full_range(&bounds, self.reverse));
        }
    }
}

impl Iterator for IndexIds<'_> {
    type Item = Result<NodeId>;

    fn next(&mut self) -> Option<Result<NodeId>> {
        while self.left > 0 {
            let id = self.next_entry()?;
            if let (Some(seen), Ok(id)) = (&mut self.seen, &id)
                && !seen.insert(*id)
            {
                continue;
            }
            self.left -= 1;
            return Some(id);
        }
        None
    }
}

impl FusedIterator for IndexIds<'_> {}

impl fmt::Debug for IndexIds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexIds").field("def", &self.view.def).finish_non_exhaustive()
    }
}

//! Rows: fields of what a query found.

use std::fmt;

use selvedge_encoding::{FromValue, Value, ValueRef};
use selvedge_graph::GraphView;

use crate::error::Result;
use crate::query::builder::Query;
use crate::query::field::Field;
use crate::query::page::{Page, PageCursor};
use crate::query::position::Position;
use crate::query::terminals::Found;

/// A query whose nodes become rows, see [`Query::select`].
#[derive(Clone)]
pub struct Select<'a> {
    query: Query<'a>,
    fields: Vec<Field>,
}

impl<'a> Select<'a> {
    pub(crate) fn new(query: Query<'a>, fields: Vec<Field>) -> Self {
        Self { query, fields }
    }

    /// The rows, as nodes are found.
    ///
    /// # Errors
    /// What is wrong with the query or a field.
    pub fn rows(self) -> Result<Rows<'a>> {
        self.check()?;
        let tracking = self.query.tracking_of(&self.fields.iter().collect::<Vec<_>>());
        let found = Found::new(self.query.run(tracking).plan(self.query.plan()?)?);
        Ok(Rows { found, view: self.query.source.view, fields: self.fields })
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// As [`rows`](Self::rows); a document that is damaged on disk.
    pub fn first(self) -> Result<Option<Row<'a>>> {
        self.check()?;
        let tracking = self.query.tracking_of(&self.fields.iter().collect::<Vec<_>>());
        let mut found = Found::new(self.query.stream_first(tracking)?);
        let at = found.next().transpose()?;
        at.map(|at| read_row(&self.fields, &self.query.source.view, &at)).transpose()
    }

    /// A page of rows, see [`Query::page`].
    ///
    /// # Errors
    /// As [`Query::page`].
    pub fn page(&self, after: Option<&PageCursor>, rows: usize) -> Result<Page<Row<'a>>> {
        self.check()?;
        let view = self.query.source.view;
        self.query.page_of(after, rows, &self.fields, |at| read_row(&self.fields, &view, at))
    }

    fn check(&self) -> Result<()> {
        Ok(self.fields.iter().try_for_each(Field::check)?)
    }
}

impl fmt::Debug for Select<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Select").field("query", &self.query).field("fields", &self.fields).finish()
    }
}

fn read_row<'a>(fields: &[Field], view: &GraphView<'a>, at: &Position<'a>) -> Result<Row<'a>> {
    let subject = at.subject(view)?;
    Ok(Row { values: fields.iter().map(|field| field.read(&subject)).collect() })
}

/// The rows of a query, see [`Select::rows`].
pub struct Rows<'a> {
    found: Found<'a>,
    view: GraphView<'a>,
    fields: Vec<Field>,
}

impl<'a> Iterator for Rows<'a> {
    type Item = Result<Row<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.found.next()?;
        let row = at.and_then(|at| read_row(&self.fields, &self.view, &at));
        if row.is_err() {
            self.found.end();
        }
        Some(row)
    }
}

impl fmt::Debug for Rows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("fields", &self.fields).finish_non_exhaustive()
    }
}

/// Values of one node, in the order of the fields that were selected; they lie in
/// the snapshot.
#[derive(Clone, PartialEq, Debug)]
pub struct Row<'a> {
    values: Vec<Option<ValueRef<'a>>>,
}

impl<'a> Row<'a> {
    /// The value of a field, by its place among the selected ones from 0; `None` if
    /// it is absent.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<ValueRef<'a>> {
        self.values.get(place).copied().flatten()
    }

    /// The value of a field as a Rust type; `None` if it is absent.
    ///
    /// # Errors
    /// [`TypeMismatch`](crate::TypeMismatch), as an [`Error::Input`](crate::Error::Input).
    pub fn typed<T: FromValue<'a>>(&self, place: usize) -> Result<Option<T>> {
        let Some(value) = self.get(place) else { return Ok(None) };
        let found = value.type_name();
        let mismatch =
            || selvedge_encoding::TypeMismatch::new(&format!("value {place}"), T::EXPECTED, found);
        Ok(Some(T::from_value(value).ok_or_else(mismatch)?))
    }

    /// How many values there are, the absent included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether nothing was selected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The values, owned.
    #[must_use]
    pub fn to_values(&self) -> Vec<Option<Value>> {
        self.values.iter().map(|value| value.map(|value| value.to_value())).collect()
    }
}

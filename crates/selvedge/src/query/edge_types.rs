//! Along which edges a hop goes.

use std::fmt;
use std::rc::Rc;

use crate::query::predicate::joined;

/// Edge types, for a hop: one (`"KNOWS"`), several (`["KNOWS", "LIKES"]`), or all
/// (`None`).
///
/// ```
/// use selvedge::prelude::*;
///
/// let db = Db::in_memory();
/// let ids: Vec<_> = (0..3).map(|_| db.insert_node("N", None, doc! {})).collect::<Result<_, _>>()?;
/// db.link_nodes(ids[0], "KNOWS", ids[1], doc! {})?;
/// db.link_nodes(ids[0], "LIKES", ids[2], doc! {})?;
/// db.link_nodes(ids[0], "OWNS", ids[2], doc! {})?;
/// let snapshot = db.snapshot()?;
/// let from = snapshot.query().from(ids[0]);
/// assert_eq!(from.clone().out("KNOWS").count()?, 1);
/// assert_eq!(from.clone().out(["KNOWS", "LIKES"]).count()?, 2);
/// assert_eq!(from.out(None).count()?, 3);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EdgeTypes(Option<Rc<[Rc<str>]>>);

impl EdgeTypes {
    fn of<'t>(names: impl IntoIterator<Item = &'t str>) -> Self {
        let mut types: Vec<Rc<str>> = Vec::new();
        for name in names {
            if !types.iter().any(|known| **known == *name) {
                types.push(name.into());
            }
        }
        Self(Some(types.into()))
    }

    /// Each of them once; `None` for all together.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        let all = self.0.is_none().then_some(None);
        all.into_iter()
            .chain(self.0.iter().flat_map(|types| types.iter()).map(|name| Some(&**name)))
    }
}

impl From<&str> for EdgeTypes {
    fn from(name: &str) -> Self {
        Self::of([name])
    }
}

impl From<&String> for EdgeTypes {
    fn from(name: &String) -> Self {
        Self::of([&**name])
    }
}

impl From<Option<&str>> for EdgeTypes {
    fn from(name: Option<&str>) -> Self {
        name.map_or(Self(None), Self::from)
    }
}

impl<const N: usize> From<[&str; N]> for EdgeTypes {
    fn from(names: [&str; N]) -> Self {
        Self::of(names)
    }
}

impl From<&[&str]> for EdgeTypes {
    fn from(names: &[&str]) -> Self {
        Self::of(names.iter().copied())
    }
}

impl fmt::Display for EdgeTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_deref() {
            None => f.write_str("along all types"),
            Some([]) => f.write_str("along no type"),
            Some(types) => {
                let types: Vec<_> = types.iter().map(|name| format!("{name:?}")).collect();
                joined(f, &types, ", ")
            }
        }
    }
}

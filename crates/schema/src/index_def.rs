//! The definition of an index.

use std::fmt;

/// The number of an index, by which its entries are told apart. Never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct IndexNumber(u32);

impl IndexNumber {
    /// The index with this number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// Whether an index has an entry for everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum IndexState {
    /// Writes maintain it, but nodes from before may be missing: nobody reads it.
    Building,
    /// It is complete.
    Ready,
}

/// One of the values that an index is ordered by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IndexPath {
    path: String,
    each: bool,
}

impl IndexPath {
    /// The path of the value in the document: `address.city`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The field that the path begins with: `address`.
    #[must_use]
    pub fn field(&self) -> &str {
        self.path.split_once('.').map_or(&*self.path, |(field, _)| field)
    }

    /// Whether each distinct element of a list gives an entry (`tags[]`). A value that
    /// is no list gives one.
    #[must_use]
    pub fn is_each(&self) -> bool {
        self.each
    }
}

impl From<&str> for IndexPath {
    fn from(text: &str) -> Self {
        match text.strip_suffix("[]") {
            Some(path) => Self { path: path.to_owned(), each: true },
            None => Self { path: text.to_owned(), each: false },
        }
    }
}

impl fmt::Display for IndexPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.path, if self.each { "[]" } else { "" })
    }
}

/// The definition of an index over the nodes of a label: one path, or several, by
/// which nodes are ordered one after the other. At most one path may end with `[]`,
/// for an entry per element of a list.
///
/// A node that lacks one of the paths has no entry; null is a value.
///
/// ```
/// use selvedge_schema::IndexDef;
///
/// let index = IndexDef::on(["address.city", "age"]).named("city_age");
/// assert_eq!(index.to_string(), "city_age on address.city, age");
/// assert_eq!(IndexDef::on(["email"]).unique().to_string(), "email on email, unique");
/// ```
#[derive(Clone, Debug)]
pub struct IndexDef {
    pub(crate) name: String,
    pub(crate) paths: Vec<IndexPath>,
    pub(crate) unique: bool,
    /// Given when it is stored.
    pub(crate) number: Option<IndexNumber>,
    pub(crate) state: IndexState,
}

/// Two are equal if they define the same, whatever their numbers and states.
impl PartialEq for IndexDef {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.paths, self.unique) == (&other.name, &other.paths, other.unique)
    }
}

impl Eq for IndexDef {}

impl IndexDef {
    /// An index over paths, with their names as its name.
    #[must_use]
    pub fn on<'p>(paths: impl IntoIterator<Item = &'p str>) -> Self {
        let paths: Vec<IndexPath> = paths.into_iter().map(IndexPath::from).collect();
        Self { name: name_of(&paths), paths, unique: false, number: None, state: IndexState::Ready }
    }

    /// With this name.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// No two nodes of the label have the same values.
    #[must_use]
    pub fn unique(self) -> Self {
        Self { unique: true, ..self }
    }

    /// A field has another name. An index that is named after its paths stays so, as the
    /// one that a definition with the new name asks for is; one with a name of its own
    /// keeps it.
    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        let is_named_after_paths = self.name == name_of(&self.paths);
        for path in &mut self.paths {
            let rest = path.path.strip_prefix(from);
            if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with('.')) {
                path.path = format!("{to}{rest}");
            }
        }
        if is_named_after_paths {
            self.name = name_of(&self.paths);
        }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The paths, the first one ordering before the others.
    #[must_use]
    pub fn paths(&self) -> &[IndexPath] {
        &self.paths
    }

    /// Whether no two nodes may have the same values.
    #[must_use]
    pub fn is_unique(&self) -> bool {
        self.unique
    }

    /// The number; `None` before it is stored.
    #[must_use]
    pub fn number(&self) -> Option<IndexNumber> {
        self.number
    }

    /// Whether it is complete.
    #[must_use]
    pub fn state(&self) -> IndexState {
        self.state
    }

    /// Whether it is complete.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state == IndexState::Ready
    }
}

/// The name of an index that is given none.
fn name_of(paths: &[IndexPath]) -> String {
    let names: Vec<&str> = paths.iter().map(IndexPath::path).collect();
    names.join("_")
}

impl fmt::Display for IndexDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on ", self.name)?;
        for (at, path) in self.paths.iter().enumerate() {
            write!(f, "{}{path}", if at == 0 { "" } else { ", " })?;
        }
        f.write_str(if self.unique { ", unique" } else { "" })
    }
}

//! All definitions of a database, as they are stored.

use std::borrow::Cow;
use std::collections::BTreeMap;

use selvedge_base::mutant;
use selvedge_encoding::{DocRef, EncodeError};

use crate::step::{convert, moved};
use crate::{
    DocumentDef, FieldType, IndexNumber, IndexState, Missing, Owner, Presence, Step, Violation,
    ViolationKind,
};

/// Whose definitions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Labels.
    Nodes,
    /// Edge types.
    Edges,
}

/// How far a change of a definition is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// The old definition holds. Whatever is written also has to be convertible, while
    /// it is verified that what is there is.
    Verifying,
    /// The new definition holds. What is there is converted bit by bit.
    Converting,
}

/// A change of a definition that is under way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    pub(crate) phase: Phase,
    pub(crate) to: DocumentDef,
    pub(crate) steps: Vec<Step>,
}

impl Change {
    /// How far it is.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The definition that comes out.
    #[must_use]
    pub fn to(&self) -> &DocumentDef {
        &self.to
    }

    /// How documents get there.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Appends what becomes of a document, and gives true; gives false for one that
    /// stays as it is.
    ///
    /// # Errors
    /// [`EncodeError`] if it gets longer than a document may be.
    pub fn convert(&self, document: DocRef<'_>, out: &mut Vec<u8>) -> Result<bool, EncodeError> {
        convert(&self.steps, &self.to, document, out)
    }

    /// A stored document with the names that indexes know it by now: what its entries
    /// were made of, if it is not converted yet.
    ///
    /// # Errors
    /// As [`convert`](Self::convert).
    pub fn as_indexed(&self, document: DocRef<'_>) -> Result<Vec<u8>, EncodeError> {
        moved(&self.steps, document, false)
    }

    /// Whether a document is one of the new definition once it is converted.
    ///
    /// # Errors
    /// What would be wrong with it.
    pub fn check_convertible(
        &self,
        document: DocRef<'_>,
        key: Option<&str>,
    ) -> Result<(), Violation> {
        for step in &self.steps {
            let Step::RenameField { from, to } = step else { continue };
            if document.contains(from) && document.contains(to) {
                let kind = ViolationKind::Taken { from: from.clone() };
                return Err(Violation::at(to, kind));
            }
        }
        let mut converted = Vec::new();
        match self.convert(document, &mut converted) {
            Ok(false) => self.to.check(document, key).map(drop),
            Ok(true) => self.to.check(DocRef::trusted(&converted), key).map(drop),
            Err(error) => Err(Violation::at("", ViolationKind::TooLong(error))),
        }
    }
}

/// What is stored of one label or edge type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Definition {
    pub(crate) revision: u64,
    pub(crate) document: Option<DocumentDef>,
    pub(crate) change: Option<Change>,
}

impl Definition {
    /// What documents have to hold now; `None`: anything, as long as a first definition
    /// is being verified.
    #[must_use]
    pub fn document(&self) -> Option<&DocumentDef> {
        self.document.as_ref()
    }

    /// The change that is under way.
    #[must_use]
    pub fn change(&self) -> Option<&Change> {
        self.change.as_ref()
    }

    /// The number of the change that made it so; grows.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether every document has a field: one that is required, or has a default. Not
    /// while documents are being converted, as those from before may lack it; nor of
    /// paths into maps, of which nothing is defined.
    #[must_use]
    pub fn is_always_there(&self, field: &str) -> bool {
        let is_converting =
            self.change.as_ref().is_some_and(|change| change.phase == Phase::Converting);
        let field = self.document.as_ref().and_then(|document| document.field(field));
        !is_converting && field.is_some_and(|field| field.presence != Presence::Optional)
    }

    /// Whether stored documents may hold under another name what indexes know under this
    /// path: its field is renamed, and they are being converted.
    #[must_use]
    pub fn is_moving(&self, path: &str) -> bool {
        let field = path.split('.').next();
        let renames =
            |step: &Step| matches!(step, Step::RenameField { to, .. } if Some(&**to) == field);
        self.change.as_ref().is_some_and(|change| {
            change.phase == Phase::Converting && change.steps.iter().any(renames)
        })
    }

    /// Whether every value of a field is a list, and not null. Nothing is said of paths
    /// into maps.
    #[must_use]
    pub fn is_list(&self, field: &str) -> bool {
        let field = self.document.as_ref().and_then(|document| document.field(field));
        field.is_some_and(|field| matches!(field.field_type, FieldType::List(_)))
    }

    /// Whether a document may be written.
    ///
    /// # Errors
    /// [`Violation`].
    pub fn check(&self, document: DocRef<'_>, key: Option<&str>) -> Result<Missing, Violation> {
        let missing = match &self.document {
            Some(def) => def.check(document, key)?,
            None => Missing { defaults: 0 },
        };
        match &self.change {
            None => {}
            Some(change) if change.phase == Phase::Verifying => {
                let convertible = change.check_convertible(document, key);
                convertible.or_else(|violation| {
                    mutant::is("convertible-unchecked").then_some(()).ok_or(violation)
                })?;
            }
            Some(change) => {
                // It would be taken for what is not converted yet.
                let mut gone = change.steps.iter().filter_map(Step::gone);
                if let Some(gone) = gone.find(|gone| document.contains(gone)) {
                    return Err(Violation::at(gone, ViolationKind::Unknown { similar: None }));
                }
            }
        }
        Ok(missing)
    }

    /// A stored document with the names that indexes know it by: its own, unless it is
    /// still to be converted.
    ///
    /// # Errors
    /// As [`Change::convert`].
    pub fn as_indexed<'d>(&self, document: DocRef<'d>) -> Result<Cow<'d, [u8]>, EncodeError> {
        match &self.change {
            Some(change) if change.phase == Phase::Converting => {
                change.as_indexed(document).map(Cow::Owned)
            }
            _ => Ok(Cow::Borrowed(document.as_bytes())),
        }
    }

    /// Appends what becomes of a stored document while it is being converted; false if
    /// it stays as it is.
    ///
    /// # Errors
    /// As [`Change::convert`].
    pub fn upgrade(&self, stored: DocRef<'_>, out: &mut Vec<u8>) -> Result<bool, EncodeError> {
        match &self.change {
            Some(change) if change.phase == Phase::Converting => change.convert(stored, out),
            _ => Ok(false),
        }
    }
}

/// All definitions of a database, by label and by edge type.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Schema {
    /// The newest revision given out.
    pub(crate) revision: u64,
    /// Indexes that were ever numbered.
    pub(crate) indexes_numbered: u32,
    pub(crate) nodes: BTreeMap<String, Definition>,
    pub(crate) edges: BTreeMap<String, Definition>,
}

impl Schema {
    /// What nodes with a label hold; `None`: anything.
    #[must_use]
    pub fn node(&self, label: &str) -> Option<&DocumentDef> {
        self.nodes.get(label)?.document()
    }

    /// What the documents of edges of a type hold; `None`: anything. Between which
    /// labels they run is said by the edge type itself.
    #[must_use]
    pub fn edge(&self, edge_type: &str) -> Option<&DocumentDef> {
        self.edges.get(edge_type)?.document()
    }

    /// The labels that are defined, sorted.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        defined(&self.nodes)
    }

    /// The edge types whose documents are defined, sorted.
    pub fn edge_types(&self) -> impl Iterator<Item = &str> {
        defined(&self.edges)
    }

    /// What is stored of a label or edge type.
    #[must_use]
    pub fn definition(&self, owner: &Owner) -> Option<&Definition> {
        match owner {
            Owner::Label(name) => self.nodes.get(name),
            Owner::EdgeType(name) => self.edges.get(name),
        }
    }

    /// What is stored of a name.
    #[must_use]
    #[inline]
    pub fn named(&self, kind: Kind, name: &str) -> Option<&Definition> {
        match kind {
            Kind::Nodes => self.nodes.get(name),
            Kind::Edges => self.edges.get(name),
        }
    }

    /// The revision of a definition; 0 if there is none.
    #[must_use]
    pub fn revision_of(&self, kind: Kind, name: &str) -> u64 {
        self.named(kind, name).map_or(0, Definition::revision)
    }

    /// The changes that are under way.
    pub fn changes(&self) -> impl Iterator<Item = (Owner, &Change)> {
        let nodes = self.nodes.iter().map(|(name, of)| (Owner::Label(name.clone()), of));
        let edges = self.edges.iter().map(|(name, of)| (Owner::EdgeType(name.clone()), of));
        nodes.chain(edges).filter_map(|(owner, of)| Some((owner, of.change.as_ref()?)))
    }

    /// Whether nothing is defined.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.edges.is_empty()
    }

    /// Gives a label or edge type, of which there is nothing yet, a definition; its
    /// indexes begin as ready.
    pub fn put(&mut self, owner: &Owner, document: DocumentDef) {
        let document = Some(self.number_indexes(owner, document, IndexState::Ready));
        self.store(owner, document, None);
    }

    /// Begins to change a definition, or to make one: what is there is to be verified.
    pub fn begin(&mut self, owner: &Owner, to: DocumentDef, steps: Vec<Step>) {
        let document = self.definition(owner).and_then(|old| old.document.clone());
        let change = Change { phase: Phase::Verifying, to, steps };
        self.store(owner, document, Some(change));
    }

    /// What is there was verified: from now on the new definition holds, and what is
    /// there is to be converted. New indexes begin as building. Whether something was
    /// being verified.
    pub fn convert(&mut self, owner: &Owner) -> bool {
        let change = self.definition(owner).and_then(|old| old.change.clone());
        let Some(change) = change.filter(|change| change.phase == Phase::Verifying) else {
            return false;
        };
        let document = self.number_indexes(owner, change.to, IndexState::Building);
        let (phase, to) = (Phase::Converting, document.clone());
        self.store(owner, Some(document), Some(Change { phase, to, ..change }));
        true
    }

    /// What is there was converted. What was written before and after is the same, so
    /// the revision stays. Whether something was being converted.
    pub fn finish(&mut self, owner: &Owner) -> bool {
        let definition = self.definition_mut(owner);
        let change = definition.map(|definition| &mut definition.change);
        let converting = |change: &mut Change| change.phase == Phase::Converting;
        change.and_then(|change| change.take_if(converting)).is_some()
    }

    /// What is there was found wrong: the old definition stays. Whether something was
    /// being verified.
    pub fn withdraw(&mut self, owner: &Owner) -> bool {
        let Some(definition) = self.definition_mut(owner) else { return false };
        let verifying = |change: &mut Change| change.phase == Phase::Verifying;
        let withdrawn = definition.change.take_if(verifying).is_some();
        if withdrawn && definition.document.is_none() {
            self.remove(owner);
        }
        withdrawn
    }

    /// Takes a definition away; whether there was one.
    pub fn remove(&mut self, owner: &Owner) -> bool {
        let removed = match owner {
            Owner::Label(name) => self.nodes.remove(name),
            Owner::EdgeType(name) => self.edges.remove(name),
        };
        removed.is_some()
    }

    /// The numbers that indexes have, or had.
    pub fn index_numbers(&self) -> impl Iterator<Item = IndexNumber> + use<> {
        (1..=self.indexes_numbered).map(IndexNumber::new)
    }

    /// Says that an index of a label is complete, or is not; whether there is one. The
    /// revision stays: for who writes nothing changes.
    pub fn set_index_state(&mut self, label: &str, index: &str, state: IndexState) -> bool {
        let document = self.nodes.get_mut(label).and_then(|of| of.document.as_mut());
        let indexes = document.map(|document| document.indexes.iter_mut());
        let found = indexes.and_then(|mut indexes| indexes.find(|other| other.name == index));
        let Some(index) = found else { return false };
        index.state = state;
        self.follow(label);
        true
    }

    /// Takes an index of a label away; whether there was one.
    pub fn drop_index(&mut self, label: &str, index: &str) -> bool {
        let document = self.nodes.get_mut(label).and_then(|of| of.document.as_mut());
        let Some(document) = document else { return false };
        let before = document.indexes.len();
        document.indexes.retain(|other| other.name != index);
        let dropped = document.indexes.len() < before;
        if dropped {
            self.revise(label);
        }
        dropped
    }

    fn revise(&mut self, label: &str) {
        self.revision += 1;
        if let Some(definition) = self.nodes.get_mut(label) {
            definition.revision = self.revision;
        }
        self.follow(label);
    }

    /// What is being converted to says of indexes what holds.
    fn follow(&mut self, label: &str) {
        if let Some(definition) = self.nodes.get_mut(label)
            && let (Some(change), Some(document)) = (&mut definition.change, &definition.document)
            && change.phase == Phase::Converting
        {
            change.to = document.clone();
        }
    }

    fn definition_mut(&mut self, owner: &Owner) -> Option<&mut Definition> {
        match owner {
            Owner::Label(name) => self.nodes.get_mut(name),
            Owner::EdgeType(name) => self.edges.get_mut(name),
        }
    }

    fn store(&mut self, owner: &Owner, document: Option<DocumentDef>, change: Option<Change>) {
        self.revision += 1;
        let definition = Definition { revision: self.revision, document, change };
        match owner {
            Owner::Label(name) => self.nodes.insert(name.clone(), definition),
            Owner::EdgeType(name) => self.edges.insert(name.clone(), definition),
        };
    }

    /// Indexes that there are keep their numbers and states, whatever became of their
    /// paths; new ones get a number and this state. One that was dropped and comes again
    /// is new: what its paths lead to may have changed.
    fn number_indexes(
        &mut self,
        owner: &Owner,
        mut document: DocumentDef,
        state: IndexState,
    ) -> DocumentDef {
        let old = self.definition(owner).and_then(|old| old.document.as_ref());
        let old = old.map(|old| old.indexes.clone()).unwrap_or_default();
        for index in &mut document.indexes {
            let kept = old.iter().find(|old| index.number.is_some() && old.number == index.number);
            (index.number, index.state) = match kept {
                // It may have become ready since the change began.
                Some(kept) => (kept.number, kept.state),
                None => {
                    self.indexes_numbered += 1;
                    (Some(IndexNumber::new(self.indexes_numbered)), state)
                }
            };
        }
        document
    }
}

fn defined(of: &BTreeMap<String, Definition>) -> impl Iterator<Item = &str> {
    of.iter().filter(|(_, of)| of.document.is_some()).map(|(name, _)| name.as_str())
}

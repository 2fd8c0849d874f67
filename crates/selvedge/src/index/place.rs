//! Where the entries of an index stand among those of keyspaces.
//!
//! ```text
//! own space, kind, number of the index, values, node      -> nothing
//! own space, kind, number of the index, values (unique)   -> node
//! ```
//!
//! Values are ordered bytes, a node 8 bytes, big endian. The number is one byte below
//! 128, else four with the highest bit set: so no number begins another.

use selvedge_base::NodeId;
use selvedge_encoding::DocRef;
use selvedge_graph::Entity;
use selvedge_schema::{
    Change, DocumentDef, IndexDef, IndexKeyError, IndexKeys, IndexNumber, Kind, Schema,
};

use crate::kv::space::{FullKey, OWN_BYTES, Own};

/// The lowest number that takes four bytes.
const LONG_NUMBER: u32 = 1 << 7;
const LONG_NUMBER_MARK: u32 = 1 << 31;

/// Bytes before the values, with the longest number.
const PREFIX_BYTES_MAX: usize = OWN_BYTES + size_of::<u32>();

/// Bytes of a node in an entry.
pub(crate) const NODE_BYTES: usize = 8;

/// What the keys of an index begin with, the space included.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    prefix: [u8; PREFIX_BYTES_MAX],
    prefix_len: usize,
    pub(crate) unique: bool,
}

impl Place {
    /// `None` for an index that is not stored.
    pub(crate) fn of(index: &IndexDef) -> Option<Self> {
        index.number().map(|number| Self::numbered(number, index.is_unique()))
    }

    pub(crate) fn numbered(number: IndexNumber, unique: bool) -> Self {
        let number = number.get();
        let mut prefix = [0; PREFIX_BYTES_MAX];
        let (own, behind) = prefix.split_at_mut(OWN_BYTES);
        own.copy_from_slice(&Own::Indexes.beginning());
        let prefix_len = match u8::try_from(number) {
            Ok(short) if number < LONG_NUMBER => {
                behind[0] = short;
                OWN_BYTES + 1
            }
            _ => {
                behind.copy_from_slice(&(number | LONG_NUMBER_MARK).to_be_bytes());
                PREFIX_BYTES_MAX
            }
        };
        Self { prefix, prefix_len, unique }
    }

    /// What all keys begin with.
    pub(crate) fn prefix(&self) -> &[u8] {
        &self.prefix[..self.prefix_len]
    }

    /// The key of what has these values.
    pub(crate) fn values(&self, values: &[u8]) -> FullKey {
        let mut key = FullKey::with_capacity(self.prefix_len + values.len() + NODE_BYTES);
        key.extend_from_slice(self.prefix());
        key.extend_from_slice(values);
        key
    }

    /// The key of the entry of a node with these values.
    pub(crate) fn entry(&self, values: &[u8], node: NodeId) -> FullKey {
        let mut key = self.values(values);
        self.end_with(&mut key, node);
        key
    }

    /// The keys of the entries of a node with this document, ascending. Uses `scratch`,
    /// whatever it holds.
    pub(crate) fn entries(
        &self,
        index: &IndexDef,
        document: DocRef<'_>,
        node: NodeId,
        scratch: &mut Vec<u8>,
    ) -> Result<IndexKeys, IndexKeyError> {
        let mut keys = index.keys_behind(self.prefix(), document, scratch)?;
        keys.iter_mut().for_each(|key| self.end_with(key, node));
        Ok(keys)
    }

    fn end_with(&self, key: &mut FullKey, node: NodeId) {
        if !self.unique {
            key.extend_from_slice(&node.get().to_be_bytes());
        }
    }

    /// The node of an entry; `None` if these are no bytes of one.
    pub(crate) fn node(&self, key: &[u8], value: &[u8]) -> Option<NodeId> {
        let node = if self.unique { value } else { key.last_chunk::<NODE_BYTES>()?.as_slice() };
        Some(NodeId::new(u64::from_be_bytes(node.try_into().ok()?)))
    }

    /// The values of an entry with this key; `None` if it is none.
    pub(crate) fn values_of<'k>(&self, key: &'k [u8]) -> Option<&'k [u8]> {
        let behind = key.strip_prefix(self.prefix())?;
        if self.unique {
            Some(behind)
        } else {
            behind.len().checked_sub(NODE_BYTES).map(|end| &behind[..end])
        }
    }
}

/// What the entry of a node holds, whose id is these bytes.
pub(crate) fn held(is_unique: bool, node: &[u8; NODE_BYTES]) -> &[u8] {
    if is_unique { node } else { &[] }
}

/// The index that an entry with this key is of, if it is of any.
pub(crate) fn indexed_by(schema: &Schema, key: &[u8]) -> Option<Entity> {
    if !key.starts_with(&Own::Indexes.beginning()) {
        return None;
    }
    let begins_it =
        |index: &&IndexDef| Place::of(index).is_some_and(|place| key.starts_with(place.prefix()));
    schema.labels().find_map(|label| {
        let definition = schema.named(Kind::Nodes, label)?;
        let to = definition.change().map(Change::to);
        let documents = definition.document().into_iter().chain(to);
        let index = documents.flat_map(DocumentDef::indexes).find(begins_it)?.name().to_owned();
        Some(Entity::Index { label: label.to_owned(), index })
    })
}

//! What an edge type allows.

use std::fmt;

/// The definition of an edge type: how many edges of it may run between the same
/// two nodes, and between which labels.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct EdgeTypeDef {
    multi: bool,
    from: Option<String>,
    to: Option<String>,
}

impl EdgeTypeDef {
    /// At most one edge from one node to another; linking again replaces its
    /// document. This is also what an edge type is that nobody defined.
    #[must_use]
    pub fn unique() -> Self {
        Self::default()
    }

    /// Any number of edges from one node to another, each with an id.
    #[must_use]
    pub fn multi() -> Self {
        Self { multi: true, ..Self::default() }
    }

    /// Only nodes with `label` may be the source.
    #[must_use]
    pub fn from(mut self, label: impl Into<String>) -> Self {
        self.from = Some(label.into());
        self
    }

    /// Only nodes with `label` may be the target.
    #[must_use]
    pub fn to(mut self, label: impl Into<String>) -> Self {
        self.to = Some(label.into());
        self
    }

    /// Whether several edges may run between the same two nodes.
    #[must_use]
    pub fn is_multi(&self) -> bool {
        self.multi
    }

    /// The label that sources must have, if any is demanded.
    #[must_use]
    pub fn source_label(&self) -> Option<&str> {
        self.from.as_deref()
    }

    /// The label that targets must have, if any is demanded.
    #[must_use]
    pub fn target_label(&self) -> Option<&str> {
        self.to.as_deref()
    }
}

impl fmt::Display for EdgeTypeDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.multi { "multi" } else { "unique" })?;
        if let Some(from) = &self.from {
            write!(f, ", from {from:?}")?;
        }
        match &self.to {
            Some(to) => write!(f, ", to {to:?}"),
            None => Ok(()),
        }
    }
}

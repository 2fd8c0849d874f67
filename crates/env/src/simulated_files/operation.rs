//! What was asked of the simulated file system.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::fault::Fault;

/// What an operation does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "named after the methods of `FileSystem` and `File`")]
pub enum OperationKind {
    CreateDir,
    List,
    Create,
    Open,
    Rename,
    Remove,
    SyncDir,
    Lock,
    Len,
    Read,
    Write,
    SetLen,
    Sync,
    Map,
}

impl OperationKind {
    /// Whether it changes what is seen, or what is durable: the places where a
    /// crash makes a difference.
    #[must_use]
    pub fn is_change(self) -> bool {
        !matches!(self, Self::List | Self::Open | Self::Len | Self::Read | Self::Map)
    }
}

/// One operation, as it was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operation {
    /// Counted from 0 since the file system was made; crashes do not reset it.
    pub number: u64,
    /// What it does.
    pub kind: OperationKind,
    /// The file or directory, as it was named when it was opened.
    pub path: Arc<Path>,
    /// The new name.
    pub to: Option<Arc<Path>>,
    /// Where it reads or writes.
    pub offset: u64,
    /// How many bytes it reads or writes; or the length it sets.
    pub len: u64,
    /// What went wrong with it.
    pub fault: Option<Fault>,
}

impl Operation {
    pub(super) fn new(kind: OperationKind, path: Arc<Path>) -> Self {
        Self { number: 0, kind, path, to: None, offset: 0, len: 0, fault: None }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, kind, path, to, offset, len, fault } = self;
        write!(f, "{number} {kind:?} {}", path.display())?;
        if let Some(to) = to {
            write!(f, " to {}", to.display())?;
        }
        if *offset > 0 || *len > 0 {
            write!(f, " at {offset}, {len} bytes")?;
        }
        match fault {
            Some(fault) => write!(f, ": {fault:?}"),
            None => Ok(()),
        }
    }
}

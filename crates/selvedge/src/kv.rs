//! Keyspaces: values under ordered keys, versionstamps, atomic operations.

pub(crate) mod atomic;
pub(crate) mod entry;
pub(crate) mod error;
pub(crate) mod expiry;
pub(crate) mod handle;
pub(crate) mod limits;
pub(crate) mod queue;
pub(crate) mod reading;
pub(crate) mod selection;
pub(crate) mod space;
pub(crate) mod value;
pub(crate) mod versionstamp;
pub(crate) mod watch;
pub(crate) mod writing;

//! Ordered keyed entries under snapshots.

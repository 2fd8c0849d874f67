//! Multi-version concurrency control: oracle, snapshots, records, pruning.

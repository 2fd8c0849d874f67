//! Nodes, edges and documents under snapshots.

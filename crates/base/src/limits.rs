//! Every limit of the engine, named. Each has a test that meets it.

/// Bytes in the key of a node.
pub const NODE_KEY_BYTES_MAX: usize = 4096;
/// Bytes in the name of a label, edge type or field.
pub const NAME_BYTES_MAX: usize = 255;
/// Labels in a database.
pub const LABELS_MAX: usize = 65_536;
/// Edge types in a database.
pub const EDGE_TYPES_MAX: usize = 65_536;
/// Bytes in an encoded document.
pub const DOCUMENT_BYTES_MAX: usize = 16 << 20;
/// Depth of lists and maps inside a document; the document itself is depth 1.
pub const DOCUMENT_DEPTH_MAX: usize = 128;
/// Handles (snapshots and transactions) open at the same time.
pub const SNAPSHOTS_MAX: usize = 16_384;
/// Bytes in the label that the owner of a handle may give it.
pub const HANDLE_LABEL_BYTES_MAX: usize = 255;
/// Nodes that one database may ever create: 2^46.
pub const NODES_MAX: u64 = 1 << 46;
/// Entities that one transaction may write.
pub const TRANSACTION_WRITES_MAX: usize = 1 << 26;
/// Bytes in the key of a keyed entry.
pub const ENTRY_KEY_BYTES_MAX: usize = 65_536;
/// Bytes in the value of a keyed entry.
pub const ENTRY_VALUE_BYTES_MAX: usize = 16 << 20;
/// Bytes in a segment of the log, at least; segments are multiples of this.
pub const LOG_SEGMENT_BYTES_MIN: u64 = 4096;
/// Bytes in a segment of the log, at most.
pub const LOG_SEGMENT_BYTES_MAX: u64 = 1 << 30;
/// Bytes that one commit may take in the log.
pub const COMMIT_BYTES_MAX: usize = 1 << 30;
/// Savepoints that one transaction may have at the same time.
pub const SAVEPOINTS_MAX: usize = 1024;
/// Fields that one definition may name.
pub const DEFINED_FIELDS_MAX: usize = 4096;
/// Depth of the type of a field: a list of strings is 2 deep.
pub const FIELD_TYPE_DEPTH_MAX: usize = 16;
/// Indexes of one label.
pub const INDEXES_MAX: usize = 64;
/// Paths of one index.
pub const INDEX_PATHS_MAX: usize = 16;
/// Bytes of the values of one entry of an index, as they are ordered there.
pub const INDEX_KEY_BYTES_MAX: usize = 4096;
/// Entries of one node in one index: elements of a list, before equal ones are left out.
pub const INDEX_ENTRIES_PER_NODE_MAX: usize = 16_384;
/// Ranges of one scan of an index: the product of the numbers of values to which its first
/// paths are bound.
pub const INDEX_RANGES_MAX: usize = 65_536;
/// Nodes that one step of a query (sort, distinct, group, repeat) may hold in
/// memory, unless the query is given another number.
pub const QUERY_HELD_MAX: usize = 1 << 24;
/// Steps of a query, those of repeated parts included.
pub const QUERY_STEPS_MAX: usize = 256;
/// Times that a query may repeat a part.
pub const QUERY_REPEATS_MAX: u32 = 1 << 20;
/// How deep the conditions and predicates of a query may nest.
pub const QUERY_CONDITION_DEPTH_MAX: usize = 64;
/// Bytes in a cursor behind a page of a query.
pub const PAGE_CURSOR_BYTES_MAX: usize = 65_536;
/// Nodes that an algorithm over the whole graph can number.
pub const ALGORITHM_NODES_MAX: usize = u32::MAX as usize - 1;

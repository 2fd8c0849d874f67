//! The log as its callers see it: what it promises, under faults and under load.

mod counted_files;
mod throughput;

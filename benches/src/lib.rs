//! Workloads shared by the benchmarks, and what they are measured with.
//!
//! Every workload runs twice: on selvedge, and on the barest structure that can
//! do the same work without a database, its *limit*. Both draw the same random
//! numbers, so both must come to the same checksum.
//!
//! Reading order: [`measure`] and [`compare`] measure; [`random`] and [`rmat`]
//! make the input; [`kv`] runs keys and values on selvedge, beside [`slots`] and
//! [`protocol`]; [`graph`] and [`walk`] run the graph, beside [`csr`];
//! [`indexed`] reads through indexes; [`memory`] weighs both.

pub mod compare;
pub mod csr;
pub mod graph;
pub mod indexed;
pub mod indexed_load;
pub mod kv;
pub mod measure;
pub mod memory;
pub mod protocol;
pub mod random;
pub mod rmat;
pub mod slots;
pub mod walk;

/// What a workload may fail with.
pub type Outcome<T> = Result<T, selvedge::Error>;

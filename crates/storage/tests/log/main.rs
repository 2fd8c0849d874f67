//! The log as its callers see it: what it promises, under faults and under load.

mod counted_files;
mod damage;
mod failure;
mod flips;
mod group_commit;
mod reading;
mod seeds;
mod simulation;
mod space;
mod throughput;
mod world;

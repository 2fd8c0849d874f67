//! The store: what it promises, with real and simulated files, when bits flip, when
//! the disk is full and when the machine crashes at any moment.

#[path = "store/model.rs"]
mod model;

#[path = "store/chance.rs"]
mod chance;
#[path = "store/contract.rs"]
mod contract;
#[path = "store/crash.rs"]
mod crash;
#[path = "store/damage.rs"]
mod damage;
#[path = "store/faults.rs"]
mod faults;
#[path = "store/script.rs"]
mod script;
#[path = "store/temp_dir.rs"]
mod temp_dir;

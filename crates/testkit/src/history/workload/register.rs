//! Registers that are read, added to and written back: updates must not be lost.

use super::{
    ALSO_FAILING, Ground, Workload, add, drawn_isolation, end, insert_all, look, no_law,
    tentatively,
};
use crate::history::recorder::{Done, Worker};

const LABELS: &[&str] = &["Register"];
const REGISTERS: usize = 8;

pub(super) const WORKLOAD: Workload =
    Workload { name: "register", set_up, step, law: no_law, media: ALSO_FAILING };

fn set_up(worker: &Worker, _: usize) -> Done<Ground> {
    let nodes = insert_all(worker, LABELS[0], REGISTERS, 0)?;
    Ok(Ground { nodes, labels: LABELS, edge_types: &[], keys: REGISTERS, ..Ground::default() })
}

fn step(worker: &Worker, ground: &Ground) -> Done {
    if worker.one_in(4) {
        let mut active = worker.snapshot()?;
        for _ in 0..4 {
            look(worker, &mut active, ground)?;
        }
        active.commit()?;
        return Ok(());
    }
    let mut active = worker.begin(drawn_isolation(worker))?;
    for _ in 0..1 + worker.below(2) {
        let register = *worker.one_of(&ground.nodes);
        tentatively(worker, &mut active, |active| add(active, register, 1))?;
        if worker.one_in(4) {
            active.node(register)?;
        }
    }
    end(worker, active)
}

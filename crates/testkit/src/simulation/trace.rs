//! What happened, step by step: the end of it for people, all of it as a digest.

use std::collections::VecDeque;

/// Steps that are told when something is wrong.
const STEPS_KEPT: usize = 60;

#[derive(Debug)]
pub(super) struct Trace {
    steps: VecDeque<String>,
    count: u64,
    digest: u64,
    is_loud: bool,
}

impl Trace {
    pub(super) fn new(is_loud: bool) -> Self {
        // FNV-1a, which any other run computes the same way.
        Self { steps: VecDeque::new(), count: 0, digest: 0xcbf2_9ce4_8422_2325, is_loud }
    }

    pub(super) fn note(&mut self, step: String) {
        for byte in step.bytes().chain([b'\n']) {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let step = format!("{:>5} {step}", self.count);
        self.count += 1;
        if self.is_loud {
            println!("{step}");
        }
        if self.steps.len() == STEPS_KEPT {
            self.steps.pop_front();
        }
        self.steps.push_back(step);
    }

    pub(super) fn digest(&self) -> u64 {
        self.digest
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn last_steps(&self) -> Vec<String> {
        self.steps.iter().cloned().collect()
    }
}

//! The computations that a transaction has staged, chained by key.

use smallvec::SmallVec;

use crate::mutation::Operation;

/// Where a computation is; those before it on the same key hang from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct StepAt(u32);

#[derive(Clone, Copy, Debug)]
struct Step {
    operation: Operation,
    operand: u64,
    before: Option<StepAt>,
}

/// Computations in the order of staging. A chain that an open savepoint may come
/// back to is never changed: going on makes a new step in front of it.
#[derive(Debug, Default)]
pub(crate) struct NumberSteps {
    steps: Vec<Step>,
    /// Steps from here on are younger than every savepoint.
    floor: usize,
}

impl NumberSteps {
    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }

    /// Adds a computation after those at `last`; gives where the chain now ends.
    ///
    /// # Panics
    /// Beyond 2^32 steps; the limit on a transaction's writes is far below.
    pub(crate) fn append(
        &mut self,
        last: Option<StepAt>,
        operation: Operation,
        operand: u64,
    ) -> StepAt {
        let mut step = Step { operation, operand, before: last };
        if let Some(at) = last {
            let old = self.steps[at.0 as usize];
            // A counter that is raised a thousand times stays one step.
            if old.operation == operation {
                step.operand = operation.apply(Some(old.operand), operand);
                step.before = old.before;
                if at.0 as usize >= self.floor {
                    self.steps[at.0 as usize] = step;
                    return at;
                }
            }
        }
        let at = u32::try_from(self.steps.len()).expect("the limit on writes is below 2^32");
        self.steps.push(step);
        StepAt(at)
    }

    /// The operation that meets the stored value first.
    pub(crate) fn first(&self, last: StepAt) -> Operation {
        let mut step = &self.steps[last.0 as usize];
        while let Some(before) = step.before {
            step = &self.steps[before.0 as usize];
        }
        step.operation
    }

    /// The number that the chain ending at `last` makes of the stored one.
    pub(crate) fn evaluate(&self, last: StepAt, stored: Option<u64>) -> u64 {
        let mut chain = SmallVec::<[&Step; 8]>::new();
        let mut next = Some(last);
        while let Some(at) = next {
            let step = &self.steps[at.0 as usize];
            chain.push(step);
            next = step.before;
        }
        let oldest_first = chain.iter().rev();
        let number = oldest_first
            .fold(stored, |number, step| Some(step.operation.apply(number, step.operand)));
        number.expect("a chain has a step")
    }

    /// From now on everything up to here may be come back to.
    pub(crate) fn mark(&mut self) -> usize {
        self.floor = self.steps.len();
        self.floor
    }

    pub(crate) fn roll_back_to(&mut self, mark: usize) {
        self.steps.truncate(mark);
        self.floor = mark;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_steps_see_earlier_ones() {
        let mut steps = NumberSteps::default();
        let mut last = None;
        for (operation, operand) in
            [(Operation::Sum, 5), (Operation::Sum, 6), (Operation::Min, 10), (Operation::Sum, 1)]
        {
            last = Some(steps.append(last, operation, operand));
        }
        let last = last.unwrap();
        assert_eq!(steps.len(), 3, "two sums in a row are one");
        assert_eq!(steps.evaluate(last, None), 11);
        assert_eq!(steps.evaluate(last, Some(u64::MAX - 10)), 1, "0 after wrapping, then 1");
        assert_eq!(steps.first(last), Operation::Sum);
    }

    #[test]
    fn what_a_savepoint_may_come_back_to_is_not_changed() {
        let mut steps = NumberSteps::default();
        let before = steps.append(None, Operation::Max, 7);
        let mark = steps.mark();
        let after = steps.append(Some(before), Operation::Max, 9);
        assert_eq!((steps.evaluate(before, None), steps.evaluate(after, None)), (7, 9));
        assert_eq!(steps.append(Some(after), Operation::Max, 11), after, "younger: in place");
        steps.roll_back_to(mark);
        assert_eq!((steps.len(), steps.evaluate(before, Some(3))), (1, 7));
    }
}

//! The computations that a transaction has staged, chained by key.

use smallvec::SmallVec;

use crate::mutation::Operation;
use crate::number::{NoNumber, Number, Operand};

/// Where a computation is; those before it on the same key hang from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct StepAt(u32);

#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) operation: Operation,
    pub(crate) operand: Operand,
    before: Option<StepAt>,
}

/// A computation without a result: which one, and why.
pub(crate) type Failed = (Operation, NoNumber);

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
        operand: Operand,
    ) -> StepAt {
        let mut step = Step { operation, operand, before: last };
        if let Some(at) = last {
            let old = &self.steps[at.0 as usize];
            // A counter that is raised a thousand times stays one step.
            if let (Operand::U64(first), Operand::U64(then)) = (&old.operand, &step.operand)
                && old.operation == operation
            {
                step.operand = Operand::U64(operation.apply(Some(*first), *then));
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

    /// The steps of the chain that ends at `last`, in the order of staging.
    pub(crate) fn chain(&self, last: StepAt) -> impl ExactSizeIterator<Item = &Step> {
        let mut chain = SmallVec::<[&Step; 8]>::new();
        let mut next = Some(last);
        while let Some(at) = next {
            let step = &self.steps[at.0 as usize];
            chain.push(step);
            next = step.before;
        }
        chain.into_iter().rev()
    }

    /// The operation that meets the stored value first.
    pub(crate) fn first(&self, last: StepAt) -> Operation {
        self.chain(last).next().expect("a chain has a step").operation
    }

    /// The number that the chain ending at `last` makes of the stored one.
    pub(crate) fn evaluate(&self, last: StepAt, stored: Option<Number>) -> Result<Number, Failed> {
        let mut number = stored;
        for step in self.chain(last) {
            let result = step.operand.apply(step.operation, number.as_ref());
            number = Some(result.map_err(|why| (step.operation, why))?);
        }
        Ok(number.expect("a chain has a step"))
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

    fn evaluate(steps: &NumberSteps, last: StepAt, stored: Option<u64>) -> u64 {
        match steps.evaluate(last, stored.map(Number::U64)) {
            Ok(Number::U64(number)) => number,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn later_steps_see_earlier_ones() {
        let mut steps = NumberSteps::default();
        let mut last = None;
        for (operation, operand) in
            [(Operation::Sum, 5), (Operation::Sum, 6), (Operation::Min, 10), (Operation::Sum, 1)]
        {
            last = Some(steps.append(last, operation, Operand::U64(operand)));
        }
        let last = last.unwrap();
        assert_eq!(steps.len(), 3, "two sums in a row are one");
        assert_eq!(evaluate(&steps, last, None), 11);
        assert_eq!(evaluate(&steps, last, Some(u64::MAX - 10)), 1, "0 after wrapping, then 1");
        assert_eq!(steps.first(last), Operation::Sum);
    }

    #[test]
    fn what_a_savepoint_may_come_back_to_is_not_changed() {
        let mut steps = NumberSteps::default();
        let max = |number| (Operation::Max, Operand::U64(number));
        let (operation, operand) = max(7);
        let before = steps.append(None, operation, operand);
        let mark = steps.mark();
        let (operation, operand) = max(9);
        let after = steps.append(Some(before), operation, operand);
        assert_eq!((evaluate(&steps, before, None), evaluate(&steps, after, None)), (7, 9));
        let (operation, operand) = max(11);
        assert_eq!(steps.append(Some(after), operation, operand), after, "younger: in place");
        steps.roll_back_to(mark);
        assert_eq!((steps.len(), evaluate(&steps, before, Some(3))), (1, 7));
    }
}

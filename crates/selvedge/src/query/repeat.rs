//! Repeating steps: breadth first from each node that comes in.
//!
//! The repeated steps are one stream that is fed a level at a time. What comes out
//! of it is the next level, and is given on if it is deep enough.
//!
//! Where nobody tells the copies of a node apart, a node goes into a level once, and
//! into no level behind the first that is given on: what would be reached from
//! it there is reached already, with fewer repetitions. So a circle does no harm,
//! and what comes first is the same as without.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::rc::Rc;

use crate::error::Result;
use crate::query::position::{Position, Seen, Stream, check_held};
use crate::query::run::Run;
use crate::query::step::Step;

pub(crate) struct Repeat<'a> {
    input: Stream<'a>,
    body: Stream<'a>,
    /// What the body reads.
    feed: Rc<RefCell<VecDeque<Position<'a>>>>,
    times: RangeInclusive<u32>,
    /// How often the steps have run for what comes out of the body.
    level: u32,
    next: Vec<Position<'a>>,
    /// Nodes of this level, and those that were given on, if each comes once.
    once: Option<(Seen, Seen)>,
    held_max: usize,
    is_running: bool,
}

impl<'a> Repeat<'a> {
    /// `once` if a node that was reached need not come again.
    pub(crate) fn new(
        run: Run<'a>,
        input: Stream<'a>,
        body: Vec<Step<'a>>,
        times: RangeInclusive<u32>,
        once: bool,
    ) -> Self {
        let feed = Rc::new(RefCell::new(VecDeque::new()));
        let fed = Rc::clone(&feed);
        let fed = Box::new(std::iter::from_fn(move || fed.borrow_mut().pop_front().map(Ok)));
        let seen = || Seen::new(run.held_max);
        Self {
            input,
            body: run.steps(fed, body),
            feed,
            times,
            level: 0,
            next: Vec::new(),
            once: once.then(|| (seen(), seen())),
            held_max: run.held_max,
            is_running: false,
        }
    }

    /// Takes what comes out of the body, or in at level 0: whether it is new.
    fn arrive(&mut self, at: &Position<'a>) -> Result<bool> {
        let is_deep = self.level >= *self.times.start();
        if let Some((of_level, given)) = &mut self.once {
            let seen = if is_deep { given } else { of_level };
            if !seen.is_new(at.node)? {
                return Ok(false);
            }
        }
        if self.level < *self.times.end() {
            self.next.push(at.clone());
            let held = self.next.len() + self.feed.borrow().len();
            check_held(held, self.held_max, "nodes that a repeat has yet to leave")?;
        }
        Ok(true)
    }

    /// What arrived is where the next level starts; whether there is any.
    fn descend(&mut self) -> bool {
        self.feed.borrow_mut().extend(self.next.drain(..));
        self.level += 1;
        if let Some((of_level, _)) = &mut self.once {
            of_level.clear();
        }
        !self.feed.borrow().is_empty()
    }

    fn begin(&mut self) {
        self.level = 0;
        self.is_running = true;
        if let Some((of_level, given)) = &mut self.once {
            of_level.clear();
            given.clear();
        }
    }

    /// Gives up on what it holds: behind an error nothing comes.
    fn stop(&mut self) {
        self.is_running = false;
        self.next.clear();
        self.feed.borrow_mut().clear();
    }
}

impl<'a> Iterator for Repeat<'a> {
    type Item = Result<Position<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let at = if !self.is_running {
                self.begin();
                match self.input.next() {
                    Some(at) => at,
                    None => {
                        self.is_running = false;
                        return None;
                    }
                }
            } else if let Some(at) = (self.level > 0).then(|| self.body.next()).flatten() {
                at
            } else {
                self.is_running = self.descend();
                continue;
            };
            let arrived = at.and_then(|at| Ok((self.arrive(&at)?, at)));
            match arrived {
                Ok((true, at)) if self.level >= *self.times.start() => return Some(Ok(at)),
                Ok(_) => {}
                Err(error) => {
                    self.stop();
                    return Some(Err(error));
                }
            }
        }
    }
}

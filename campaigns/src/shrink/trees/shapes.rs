//! The three shapes of value trees over plans.
//!
//! In: a plan, and the values to try smaller. Out: proptest's protocol: `simplify` after a failure,
//! `complicate` after a success, `current` is the plan to try next. Each shape offers only plans
//! that are simpler than the one it began with.

use plan::Plan;
use proptest::{num::u64::BinarySearch, strategy::ValueTree};

/// Plans without a run of planned faults.
#[derive(Debug)]
pub struct Faults {
    plan: Plan,
    /// The number of faults that are left out at a time.
    length: usize,
    /// The index of the first fault that is left out now.
    at: usize,
    /// True if these faults are left out now.
    without: bool,
}

impl Faults {
    pub fn of(plan: &Plan) -> Self {
        Self { plan: plan.clone(), length: plan.schedule.len(), at: 0, without: false }
    }

    /// Moves to the next existing run of faults; false if every single fault was tried.
    fn next(&mut self) -> bool {
        let count = self.plan.schedule.len();
        if self.at >= count {
            self.at = 0;
            self.length = self.length.min(count) / 2;
        }
        self.length = self.length.min(count);
        self.without = self.length > 0;
        self.without
    }

    fn left(&self) -> Vec<nemesis::PlannedFault> {
        let mut left = self.plan.schedule.clone();
        if self.without {
            left.drain(self.at..(self.at + self.length).min(left.len()));
        }
        left
    }
}

impl ValueTree for Faults {
    type Value = Plan;

    fn current(&self) -> Plan {
        let mut plan = self.plan.clone();
        plan.schedule = self.left();
        plan.name_its_faults();
        plan
    }

    fn simplify(&mut self) -> bool {
        // Faults that were left out stay out; the next ones have moved to their place.
        self.plan.schedule = self.left();
        self.next()
    }

    fn complicate(&mut self) -> bool {
        self.at += self.length;
        self.next()
    }
}

/// A few plans, from the simplest on.
#[derive(Debug)]
pub struct Listed {
    /// The plan itself, then the simpler ones, the simplest last.
    plans: Vec<Plan>,
    at: usize,
    is_over: bool,
}

impl Listed {
    pub fn new(plan: &Plan, mut simpler: Vec<Plan>) -> Self {
        simpler.push(plan.clone());
        simpler.reverse();
        Self { plans: simpler, at: 0, is_over: false }
    }
}

impl ValueTree for Listed {
    type Value = Plan;

    fn current(&self) -> Plan {
        self.plans[self.at].clone()
    }

    fn simplify(&mut self) -> bool {
        // Once a plan fails, no simpler untried one is left.
        let begins = !self.is_over && self.plans.len() > 1;
        self.is_over = true;
        if begins {
            self.at = self.plans.len() - 1;
        }
        begins
    }

    fn complicate(&mut self) -> bool {
        self.at = self.at.saturating_sub(1);
        self.at > 0
    }
}

/// Plans with a smaller number: the least one first, then by halves.
#[derive(Debug)]
pub struct Number {
    plan: Plan,
    least: u64,
    set: fn(&mut Plan, u64),
    tries: Tries,
}

#[derive(Debug)]
enum Tries {
    None(u64),
    Least(u64),
    Halves(BinarySearch),
    Over,
}

impl Number {
    pub fn new(plan: &Plan, least: u64, now: u64, set: fn(&mut Plan, u64)) -> Self {
        Self { plan: plan.clone(), least, set, tries: Tries::None(now) }
    }
}

impl ValueTree for Number {
    type Value = Plan;

    fn current(&self) -> Plan {
        let number = match &self.tries {
            Tries::None(_) => return self.plan.clone(),
            Tries::Least(_) | Tries::Over => self.least,
            Tries::Halves(search) => self.least + search.current(),
        };
        let mut plan = self.plan.clone();
        (self.set)(&mut plan, number);
        plan
    }

    fn simplify(&mut self) -> bool {
        match &mut self.tries {
            Tries::None(now) if *now > self.least => {
                self.tries = Tries::Least(*now);
                true
            }
            Tries::Halves(search) => search.simplify(),
            Tries::None(_) | Tries::Least(_) | Tries::Over => {
                self.tries = Tries::Over;
                false
            }
        }
    }

    fn complicate(&mut self) -> bool {
        match &mut self.tries {
            Tries::Least(now) => {
                let mut search = BinarySearch::new(*now - self.least);
                let begins = search.simplify();
                self.tries = Tries::Halves(search);
                begins
            }
            Tries::Halves(search) => search.complicate(),
            Tries::None(_) | Tries::Over => false,
        }
    }
}

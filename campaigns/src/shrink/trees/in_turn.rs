//! A value tree that is many, one after the other: each begins with what the one before it came to.
//!
//! In: a plan, and what makes the tree of a place in it. Out: proptest's protocol, as the other `shapes`.

use super::PlanTree;
use plan::Plan;
use proptest::strategy::ValueTree;
use std::fmt;

/// The tree of a place in a plan; none = there is no such place.
pub type TreeAt = fn(&Plan, usize) -> Option<PlanTree>;

/// One tree after the other.
pub struct InTurn {
    plan: Plan,
    at: usize,
    tree: Option<PlanTree>,
    tree_at: TreeAt,
}

impl fmt::Debug for InTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InTurn").field("at", &self.at).finish_non_exhaustive()
    }
}

impl InTurn {
    pub fn new(plan: &Plan, tree_at: TreeAt) -> Self {
        Self { plan: plan.clone(), at: 0, tree: None, tree_at }
    }

    /// Goes on to the next tree that has something to offer.
    fn begin(&mut self) -> bool {
        while let Some(mut tree) = (self.tree_at)(&self.plan, self.at) {
            if tree.simplify() {
                self.tree = Some(tree);
                return true;
            }
            self.at += 1;
        }
        self.tree = None;
        false
    }

    fn next(&mut self) -> bool {
        self.at += 1;
        self.begin()
    }
}

impl ValueTree for InTurn {
    type Value = Plan;

    fn current(&self) -> Plan {
        self.tree.as_ref().map_or_else(|| self.plan.clone(), ValueTree::current)
    }

    fn simplify(&mut self) -> bool {
        let Some(tree) = &mut self.tree else { return self.begin() };
        // What failed is kept, whatever comes of the later trees.
        self.plan = tree.current();
        tree.simplify() || self.next()
    }

    fn complicate(&mut self) -> bool {
        let goes_on = self.tree.as_mut().is_some_and(ValueTree::complicate);
        goes_on || self.next()
    }
}

//! A value tree made of several, one after the other: each begins with the result of the one before
//! it.
//!
//! In: a plan, and a function from a place in it to a tree. Out: proptest's protocol, as the other
//! `shapes`.

use super::PlanTree;
use plan::Plan;
use proptest::strategy::ValueTree;
use std::fmt;

/// A function from a place in a plan to its tree; `None` = there is no such place.
pub type TreeAt = fn(&Plan, usize) -> Option<PlanTree>;

/// A sequence of trees.
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

    /// Moves to the next tree that offers a simpler plan; false if there is none.
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
        // A plan that failed is kept, whatever the later trees find.
        self.plan = tree.current();
        tree.simplify() || self.next()
    }

    fn complicate(&mut self) -> bool {
        let goes_on = self.tree.as_mut().is_some_and(ValueTree::complicate);
        goes_on || self.next()
    }
}

//! `defects`: the embedded cluster's defects, the plan that catches each, and the evidence that
//! shows it.

use campaigns::self_test::{evidence, trials};
use cluster::defects::Defect;
use failure::Exit;

/// Prints the list.
pub fn command() -> Exit {
    for defect in Defect::ALL {
        let flags = trials::of(defect).plan.flags;
        let name = defect.name();
        terminal::result(format_args!("{name}: {}", defect.breaks()));
        terminal::result(format_args!("    caught by: jepsen-tikv test {flags} --defect {name}"));
        let shown = evidence::of(defect);
        terminal::result(format_args!("    shown by: {}", shown.evidence));
        terminal::result(format_args!("    because {}", shown.reason));
    }
    Exit::Valid
}

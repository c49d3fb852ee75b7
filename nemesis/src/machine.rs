//! The identity of a machine, its boot and its container: PIDs and start times mean something only
//! inside one of each.
//!
//! In: `/proc` and `/etc/machine-id`. Out: a [`Machine`], which is written beside PIDs, and its
//! place relative to this machine ([`Whereabouts`]).

use serde::{Deserialize, Serialize};
use std::fs;

/// A machine between two boots, and a namespace of PIDs on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// The boot from which start times count. Empty if the system does not say.
    pub boot_id: String,
    /// The machine's id; empty if it has none.
    pub machine_id: String,
    /// The namespace of PIDs: a container has one of its own.
    pub pid_namespace: String,
}

/// The place of a machine relative to this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// This machine, with the same PIDs.
    Here,
    /// This machine before its last boot: the processes of that time are gone.
    EarlierBoot,
    /// This machine, in another container: its PIDs mean other processes here.
    OtherContainer,
    /// Another machine, or one that cannot be told from another.
    Elsewhere,
}

impl Machine {
    /// Reads the identity of this machine.
    pub fn this() -> Self {
        let line = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        Self {
            boot_id: line("/proc/sys/kernel/random/boot_id"),
            machine_id: line("/etc/machine-id"),
            pid_namespace: namespace.to_string_lossy().into_owned(),
        }
    }

    /// Compares this identity with the machine that the program runs on.
    pub fn whereabouts(&self) -> Whereabouts {
        self.seen_from(&Self::this())
    }

    fn seen_from(&self, here: &Self) -> Whereabouts {
        if self.machine_id != here.machine_id {
            return Whereabouts::Elsewhere;
        }
        match self.boot_id == here.boot_id && !self.boot_id.is_empty() {
            true if self.pid_namespace == here.pid_namespace => Whereabouts::Here,
            true => Whereabouts::OtherContainer,
            // Machines without an id look alike.
            false if self.machine_id.is_empty() => Whereabouts::Elsewhere,
            false => Whereabouts::EarlierBoot,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(boot_id: &str, machine_id: &str, pid_namespace: &str) -> Machine {
        Machine {
            boot_id: boot_id.into(),
            machine_id: machine_id.into(),
            pid_namespace: pid_namespace.into(),
        }
    }

    #[test]
    fn pids_mean_the_same_only_on_one_boot_of_one_machine_in_one_container() {
        let here = machine("boot", "id", "1");
        for (other, seen) in [
            (here.clone(), Whereabouts::Here),
            (machine("boot", "id", "2"), Whereabouts::OtherContainer),
            (machine("before", "id", "1"), Whereabouts::EarlierBoot),
            (machine("boot", "other", "1"), Whereabouts::Elsewhere),
            (machine("before", "other", "1"), Whereabouts::Elsewhere),
        ] {
            assert_eq!(other.seen_from(&here), seen, "{other:?}");
        }
        let nameless = machine("boot", "", "1");
        assert_eq!(nameless.seen_from(&nameless), Whereabouts::Here);
        assert_eq!(machine("before", "", "1").seen_from(&nameless), Whereabouts::Elsewhere);
        assert_eq!(machine("", "", "1").seen_from(&machine("", "", "1")), Whereabouts::Elsewhere);
        assert_eq!(Machine::this().whereabouts(), Whereabouts::Here);
    }
}

//! `nemeses`: the faults, what each needs, and the targets that offer it.

use failure::Exit;
use nemesis::FaultKind;
use plan::{
    can_suffer,
    config::{AttachConfig, BinariesConfig, PlaygroundConfig, TargetConfig},
};

/// Prints the list.
pub fn command() -> Exit {
    for kind in FaultKind::ALL {
        for line in lines(kind) {
            terminal::result(line);
        }
    }
    terminal::result("mix: All that the target offers, overlapping.");
    terminal::result("none: No fault.");
    Exit::Valid
}

/// The lines about one fault.
fn lines(kind: FaultKind) -> [String; 2] {
    let needs = kind.needs().map_or_else(String::new, |needs| format!("needs {needs}; "));
    let offered: Vec<&str> = targets()
        .iter()
        .filter(|target| can_suffer(target, kind.name()).is_ok())
        .map(TargetConfig::name)
        .collect();
    [
        format!("{}: {}", kind.name(), kind.effect()),
        format!("    {needs}on target {}", offered.join(", ")),
    ]
}

/// A target of each kind.
fn targets() -> [TargetConfig; 5] {
    let (tikv_server, pd_server) = ("tikv-server".into(), "pd-server".into());
    [
        TargetConfig::Embedded,
        TargetConfig::Binaries(BinariesConfig { tikv_server, pd_server, region_split_size: None }),
        TargetConfig::Playground(PlaygroundConfig {
            tiup: "tiup".into(),
            version: None,
            region_split_size: None,
        }),
        TargetConfig::Attach(AttachConfig::local("127.0.0.1:2379")),
        TargetConfig::Simulated,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_says_where_it_works() {
        let said = |kind| lines(kind)[1].trim().to_owned();
        assert_eq!(
            said(FaultKind::PauseTwo),
            "needs 3 replicas; on target embedded, binaries, playground, attach, simulated"
        );
        assert_eq!(said(FaultKind::KillOne), "on target embedded, binaries, simulated");
        assert_eq!(said(FaultKind::PartitionRing), "needs 4 stores; on target simulated");
        assert!(FaultKind::ALL.into_iter().all(|kind| !said(kind).ends_with("target ")));
    }
}

//! The largest value of every number that a flag, a plan or a property gives.
//!
//! In: a name and a value. Out: nothing, or a sentence with the bound and its reason. Without a bound a slip of the hand (a
//! number too long by some digits) takes all memory, or overflows a sum. Numbers that need no bound (seeds, ports)
//! have a type that fits them. Lower bounds stand where their reasons are, in the checks of each command.

use crate::exit::Failure;
use clap::ArgMatches;

/// A week in milliseconds: no run lasts longer.
pub const WEEK_MS: u64 = 7 * 24 * 3_600_000;
const WEEK_S: u64 = WEEK_MS / 1000;
const LONG: &str = "a run lasts a week at most";
const CLIENTS: &str = "each client is a task with connections of its own";
const MACHINE: &str = "they all run on one machine";
const RECORDS: &str = "a load at full speed would take weeks";

/// A flag's name (or a property's), its largest value, and why it is not larger.
pub const BOUNDS: [(&str, u64, &str); 40] = [
    ("stores", 100, MACHINE),
    ("kv", 100, MACHINE),
    ("pd", 1, "the embedded cluster has one PD"),
    ("replicas", 100, MACHINE),
    ("regions", 1_000, "a few stores lead them all"),
    ("region-max-keys", 1_000_000_000, "no region holds more keys"),
    ("keys", 10_000_000, "the tester holds the name and the judgement of every key"),
    ("value-bytes", 1 << 20, "TiKV is made for small values"),
    ("concurrency", 10_000, CLIENTS),
    ("idle-clients", 10_000, CLIENTS),
    ("rate", 10_000_000, "no cluster serves more"),
    ("pause-ms-min", WEEK_MS, LONG),
    ("pause-ms-max", WEEK_MS, LONG),
    ("time-ms", WEEK_MS, LONG),
    ("interval-ms", WEEK_MS, LONG),
    ("op-timeout-ms", WEEK_MS, LONG),
    ("history-segment", 1 << 20, "that is a TiB"),
    ("budget", 1_000_000_000_000, "a search would take years"),
    ("budget-bytes", 1 << 40, "that is a TiB of memory"),
    ("counterexamples-max", 1_000_000, "nobody looks at more"),
    ("runs", 1_000_000_000, "they would take years"),
    ("times", 10_000, "they would take weeks"),
    ("attempts-per-step", 1_000, "they would take weeks"),
    ("ops-back", 100, "it is a percentage"),
    ("jobs", 64, MACHINE),
    ("threads", 10_000, CLIENTS),
    ("threadcount", 10_000, CLIENTS),
    ("target", 10_000_000, "no cluster serves more"),
    ("interval", WEEK_S, LONG),
    ("measurement.interval", WEEK_S, LONG),
    ("maxexecutiontime", WEEK_S, LONG),
    ("core_workload_insertion_retry_interval", WEEK_S, LONG),
    ("core_workload_insertion_retry_limit", 1_000_000, LONG),
    ("recordcount", 1_000_000_000, RECORDS),
    ("insertcount", 1_000_000_000, RECORDS),
    ("insertstart", 1_000_000_000, RECORDS),
    ("operationcount", 1_000_000_000_000, RECORDS),
    ("fieldcount", 1_000, "a row is one value, and TiKV is made for small values"),
    ("fieldlength", 1 << 20, "a row is one value, and TiKV is made for small values"),
    ("maxscanlength", 1_000_000, "a scan is one answer"),
];

/// Refuses a flag's value that is beyond its bound.
pub fn flag(name: &str, value: impl Into<u128>) -> Result<(), Failure> {
    within(name, "--", value.into())
}

/// Refuses a property's value that is beyond its bound.
pub fn property(name: &str, value: u128) -> Result<(), Failure> {
    within(name, "property ", value)
}

fn within(name: &str, called: &str, value: u128) -> Result<(), Failure> {
    match BOUNDS.iter().find(|(known, ..)| *known == name) {
        Some((_, most, why)) if value > u128::from(*most) => Err(Failure::usage(format!(
            "{called}{name} is {value}: use {most} or less, since {why}"
        ))),
        _ => Ok(()),
    }
}

/// Refuses numbers on the command line, or in what stands in for it, that are beyond their bounds.
pub fn command_line(matches: &ArgMatches) -> Result<(), Failure> {
    for id in matches.ids() {
        let name = id.as_str().replace('_', "-");
        if !BOUNDS.iter().any(|(known, ..)| *known == name) {
            continue;
        }
        for raw in matches.get_raw(id.as_str()).into_iter().flatten() {
            // Others are no numbers: an address, a time with its unit.
            if let Some(value) = raw.to_str().and_then(|text| text.parse::<u128>().ok()) {
                flag(&name, value)?;
            }
        }
    }
    matches.subcommand().map_or(Ok(()), |(_, matches)| command_line(matches))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::{self, Cli},
        exit::Exit,
        plan::Plan,
    };
    use clap::{Arg, Command, CommandFactory};
    use proptest::prelude::*;
    use std::any::TypeId;

    /// Values at which something overflows, or takes all memory.
    const EXTREMES: [&str; 12] = [
        "0",
        "1",
        "-1",
        "65536",
        "1000000",
        "4294967295",
        "4294967296",
        "1000000000000",
        "9223372036854775807",
        "18446744073709551615",
        "18446744073709551616",
        "999999999999999999999999999999999999999999",
    ];

    fn is_number(arg: &Arg) -> bool {
        let id = arg.get_value_parser().type_id();
        let takes_value = arg.get_action().takes_values();
        let numbers = [TypeId::of::<u64>(), TypeId::of::<u32>(), TypeId::of::<usize>()];
        takes_value && (numbers.iter().any(|number| id == *number) || id == TypeId::of::<u16>())
    }

    /// Every command of the tree, with its path.
    fn commands(command: &Command, path: &[String], found: &mut Vec<(Vec<String>, Command)>) {
        for sub in command.get_subcommands().filter(|it| it.get_name() != "help") {
            let path = [path, &[sub.get_name().to_owned()]].concat();
            found.push((path.clone(), sub.clone()));
            commands(sub, &path, found);
        }
    }

    /// All flags with numbers: the command's words, what it demands beside, and the flag.
    fn numeric_flags() -> Vec<(Vec<String>, Arg)> {
        let mut found = Vec::new();
        commands(&Cli::command(), &[], &mut found);
        let mut flags = Vec::new();
        for (path, command) in found {
            let mut words = [vec!["jepsen-tikv".to_owned()], path].concat();
            for arg in command.get_arguments().filter(|arg| arg.is_required_set()) {
                let possible = arg.get_possible_values();
                let value = possible.first().map_or("x".to_owned(), |it| it.get_name().to_owned());
                words
                    .extend(arg.get_long().map(|long| format!("--{long}={value}")).or(Some(value)));
            }
            let internal = words[1].starts_with("internal-");
            let numbers = command.get_arguments().filter(|it| is_number(it) && !internal);
            flags.extend(numbers.map(|arg| (words.clone(), arg.clone())));
        }
        flags
    }

    /// What a command does before anything is started: flags are parsed and checked, a plan is drawn.
    fn prepare(words: &[String]) -> Result<(), Failure> {
        use cli::Command::{BenchRecording, Fuzz, Load, Scenario, Simulate, Test, Ycsb};
        match cli::parse_from(words)?.command {
            Test(args) | BenchRecording(args) => Plan::draw(args.config()?).map(drop),
            Simulate(args) => args.plan().map(drop),
            Fuzz(args) => args.fuzzing().map(drop),
            Scenario(args) => {
                let scenario = args.scenario()?;
                Plan::of_scenario(args.config()?, scenario).map(drop)
            }
            cli::Command::Plan(args) => match args.command {
                cli::plan::PlanCommand::Draw(args) => Plan::draw(args.config()?).map(drop),
                _ => Ok(()),
            },
            Load(args) => crate::ycsb::settings::Settings::of(&args.properties()?, true).map(drop),
            Ycsb(args) => crate::ycsb::settings::Settings::of(&args.properties()?, false).map(drop),
            cli::Command::Cluster(args) => match args.command {
                cli::ClusterCommand::Up(args) => {
                    crate::clusters::wish::Wish::checked(&args).map(drop)
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn assert_refused_or_taken(words: &[String]) {
        if let Err(failure) = prepare(words) {
            assert_eq!(failure.exit, Exit::Usage, "{words:?}: {failure}");
            let sentences = failure.sentence.lines().count();
            assert!(failure.has_lines || sentences == 1, "{words:?}: {failure}");
        }
    }

    #[test]
    fn every_number_has_a_bound() {
        let flags = numeric_flags();
        assert!(flags.len() > 40, "{}", flags.len());
        for (words, arg) in flags {
            let long = arg.get_long().expect("a long flag");
            let is_small = arg.get_value_parser().type_id() == TypeId::of::<u16>();
            let name = arg.get_id().as_str().replace('_', "-");
            let bounded = BOUNDS.iter().any(|(known, ..)| *known == name);
            // What parses times refuses more than a week by itself.
            let mut timed = words.clone();
            timed.push(format!("--{long}=1s"));
            let takes_times = prepare(&timed).err().is_none_or(|it| !it.has_lines);
            assert!(is_small || bounded || takes_times || name == "seed", "{words:?} --{long}");
        }
    }

    #[test]
    fn every_extreme_number_is_refused_or_taken() {
        for (words, arg) in numeric_flags() {
            for extreme in EXTREMES {
                let mut words = words.clone();
                words.push(format!("--{}={extreme}", arg.get_long().expect("a long flag")));
                assert_refused_or_taken(&words);
            }
        }
        for (name, most, _) in BOUNDS {
            flag(name, most).expect("the bound itself");
            flag(name, u128::from(most) + 1).expect_err("beyond it");
        }
    }

    #[test]
    fn properties_are_bounded_too() {
        for (name, most, _) in
            BOUNDS.iter().skip_while(|(name, ..)| *name != "measurement.interval")
        {
            for extreme in EXTREMES.into_iter().chain([&*most.to_string(), "inf", "NaN", "1e300"]) {
                let words = [
                    "jepsen-tikv",
                    "ycsb",
                    "-p",
                    "recordcount=10",
                    "-p",
                    &format!("{name}={extreme}"),
                ];
                assert_refused_or_taken(&words.map(str::to_owned));
            }
        }
    }

    #[test]
    fn a_pause_of_nothing_and_no_interval_end_the_drawing() {
        for flags in [
            "--pause-ms-min 0 --pause-ms-max 1 --nemesis-interval 0 --nemesis mix",
            "--pause-ms-min 0 --time 1ms",
            "--nemesis-interval 0 --time 168h --nemesis transfer-leader",
        ] {
            let words: Vec<String> =
                format!("jepsen-tikv test {flags}").split(' ').map(str::to_owned).collect();
            assert_refused_or_taken(&words);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn extreme_numbers_together_are_refused_or_taken(
            chosen in prop::collection::vec((0_usize..100, 0_usize..EXTREMES.len(), any::<bool>()), 1..5),
        ) {
            let of_test: Vec<Arg> = numeric_flags()
                .into_iter()
                .filter(|(words, _)| words[1] == "test")
                .map(|(_, arg)| arg)
                .collect();
            let mut words = vec!["jepsen-tikv".to_owned(), "test".to_owned()];
            for (flag, extreme, at_bound) in chosen {
                let arg = &of_test[flag % of_test.len()];
                let long = arg.get_long().expect("a long flag");
                let bound = BOUNDS.iter().find(|(known, ..)| *known == long).filter(|_| at_bound);
                let value = bound.map_or(EXTREMES[extreme].to_owned(), |(_, most, _)| most.to_string());
                words.push(format!("--{long}={value}"));
            }
            assert_refused_or_taken(&words);
        }
    }
}

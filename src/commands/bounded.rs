//! Tests that every number that a flag takes has a bound.

use crate::{
    cli::{self, Cli},
    commands::{
        clusters::options::ClusterOptions,
        ycsb::{Properties, settings::Settings},
    },
};
use clap::{Arg, Command, CommandFactory};
use failure::{Exit, Failure};
use plan::{
    Plan,
    config::bounds::{BOUNDS, flag},
};
use proptest::prelude::*;
use std::any::TypeId;

/// Values that overflow something, or take all memory.
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

/// Collects every command of the tree, with its path.
fn commands(command: &Command, path: &[String], found: &mut Vec<(Vec<String>, Command)>) {
    for sub in command.get_subcommands().filter(|it| it.get_name() != "help") {
        let path = [path, &[sub.get_name().to_owned()]].concat();
        found.push((path.clone(), sub.clone()));
        commands(sub, &path, found);
    }
}

/// Returns all flags with numbers: the command's words, the arguments it requires besides, and the
/// flag.
fn numeric_flags() -> Vec<(Vec<String>, Arg)> {
    let mut found = Vec::new();
    commands(&Cli::command(), &[], &mut found);
    let mut flags = Vec::new();
    for (path, command) in found {
        let mut words = [vec!["jepsen-tikv".to_owned()], path].concat();
        for arg in command.get_arguments().filter(|arg| arg.is_required_set()) {
            let possible = arg.get_possible_values();
            let value = possible.first().map_or("x".to_owned(), |it| it.get_name().to_owned());
            words.extend(arg.get_long().map(|long| format!("--{long}={value}")).or(Some(value)));
        }
        let internal = words[1].starts_with("internal-");
        let numbers = command.get_arguments().filter(|it| is_number(it) && !internal);
        flags.extend(numbers.map(|arg| (words.clone(), arg.clone())));
    }
    flags
}

/// Does what a command does before it starts anything: parses and checks flags, draws a plan.
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
        Load(args) => Settings::of(&Properties::of(&args)?, true).map(drop),
        Ycsb(args) => Settings::of(&Properties::of(&args)?, false).map(drop),
        cli::Command::Cluster(args) => match args.command {
            cli::ClusterCommand::Up(args) => ClusterOptions::checked(&args).map(drop),
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
        // The parser of durations refuses more than a week by itself.
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
    for (name, most, _) in BOUNDS.iter().skip_while(|(name, ..)| *name != "measurement.interval") {
        for extreme in EXTREMES.into_iter().chain([&*most.to_string(), "inf", "NaN", "1e300"]) {
            let words =
                ["jepsen-tikv", "ycsb", "-p", "recordcount=10", "-p", &format!("{name}={extreme}")];
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

//! Small registers with repeated values and many lost answers: judged in little work, and as
//! porcupine-rs judges them.

use checker::{Budget, Collector, Engine, History, Options, Validity, Verdict, check};
use simulated::{Shape, Stale, simulated};

mod simulated;

/// Far less than the default: what needs more has become slow.
const FEW: Budget = Budget { configurations: 2_000_000, bytes: 1 << 30 };

fn history(shape: &Shape) -> History {
    let mut collector = Collector::new();
    for event in simulated(shape) {
        collector.push(event).expect("well-formed");
    }
    collector.finish()
}

fn judged(history: &History, engine: Engine) -> Verdict {
    check(history, &Options { engine, budget: FEW, ..Options::default() })
}

/// How many histories of each verdict there are, of these sizes.
fn verdicts(operations: &[u64], unknown: &[u64], seeds: u64) -> [u32; 2] {
    let mut verdicts = [0, 0];
    for &operations in operations {
        for &unknown in unknown {
            for clients in [4, 16, 64] {
                let stales = [Stale::None, Stale::Middle, Stale::End];
                for (seed, stale) in (1..=seeds).flat_map(|seed| stales.map(|it| (seed, it))) {
                    let shape = Shape { operations, clients, unknown, values: 5, stale, seed };
                    let verdict = judged(&history(&shape), Engine::Auto);
                    match verdict.validity {
                        Validity::Valid => verdicts[0] += 1,
                        Validity::Invalid => verdicts[1] += 1,
                        Validity::Unknown => panic!("{shape:?}: {:?}", verdict.reasons),
                    }
                    let is_valid = verdict.validity == Validity::Valid;
                    assert!(stale != Stale::None || is_valid, "{shape:?}");
                }
            }
        }
    }
    verdicts
}

#[test]
fn registers_with_many_lost_answers_are_judged_in_little_work() {
    let [valid, invalid] = verdicts(&[60, 140, 300], &[5, 10, 20, 30, 40], 4);
    assert!(valid > 100 && invalid > 10, "{valid} are valid, {invalid} are not");
}

#[test]
fn long_registers_with_many_lost_answers_are_judged_in_little_work() {
    verdicts(&[1_000, 3_000], &[10, 30], 1);
}

#[test]
fn the_engines_agree_on_registers_with_many_lost_answers() {
    let mut invalid = 0;
    for seed in 0..600 {
        let clients = [2, 4, 8][seed as usize % 3];
        let unknown = [5, 15, 30][seed as usize / 3 % 3];
        let stale = [Stale::None, Stale::Middle, Stale::Middle, Stale::End][seed as usize % 4];
        let shape = Shape { operations: 24, clients, unknown, values: 3, stale, seed };
        let history = history(&shape);
        let [auto, search, porcupine] = [Engine::Auto, Engine::Search, Engine::Porcupine]
            .map(|it| judged(&history, it).validity);
        assert_eq!(auto, search, "{shape:?}");
        assert!(porcupine == Validity::Unknown || porcupine == auto, "{shape:?}: {porcupine}");
        invalid += u32::from(auto == Validity::Invalid);
    }
    assert!(invalid > 50, "{invalid}");
}

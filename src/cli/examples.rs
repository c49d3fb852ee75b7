//! The examples with which the long help of each command begins.
//!
//! In: a command's words after the program's name. Out: two command lines that a user can type.
//! A test parses every one with the real parser.

/// The words of a command, and its two examples without the program's name.
type Examples = (&'static str, [&'static str; 2]);

/// The examples of every visible command.
const ALL: [Examples; 40] = [
    ("test", ["test --time 30", "test --nemesis kill-one,pause-leader --stores 5 --time 5m"]),
    ("cluster", ["cluster up --kv 6 --tag walk --detach", "cluster status --watch"]),
    ("cluster up", ["cluster up", "cluster up --kv 6 --tag walk --detach"]),
    ("cluster status", ["cluster status --watch", "cluster status --pd 127.0.0.1:2379"]),
    ("cluster kill", ["cluster kill store-2", "cluster kill store-2 store-3 --tag walk"]),
    ("cluster start", ["cluster start store-2", "cluster start store-2 store-3 --tag walk"]),
    ("cluster pause", ["cluster pause store-1", "cluster pause --pd"]),
    ("cluster resume", ["cluster resume store-1", "cluster resume --pd"]),
    ("cluster config", ["cluster config show", "cluster config set max-replicas 5"]),
    ("cluster config show", ["cluster config show", "cluster config show schedule"]),
    (
        "cluster config set",
        ["cluster config set max-replicas 5", "cluster config set max-replicas 3 --tag walk"],
    ),
    ("cluster down", ["cluster down", "cluster down --tag walk"]),
    ("cluster clean", ["cluster clean --tag walk", "cluster clean --all"]),
    (
        "load",
        [
            "load -P workloada -p recordcount=10000",
            "load -P workloada -p recordcount=10000 --threads 16 --pd 127.0.0.1:2379",
        ],
    ),
    (
        "ycsb",
        [
            "ycsb -P workloada -p operationcount=1000",
            "ycsb -P workloadb -p operationcount=100000 --threads 16 --pd 127.0.0.1:2379",
        ],
    ),
    ("count", ["count", "count --prefix usertable: --pd 127.0.0.1:2379"]),
    ("scenario", ["scenario one-store", "scenario two-stores --no-wait"]),
    ("plan", ["plan draw --nemesis kill-one --time 20 > plan.json", "plan check plan.json"]),
    (
        "plan draw",
        [
            "plan draw --nemesis kill-one --time 20 > plan.json",
            "plan draw --workload register --nemesis mix --seed 1",
        ],
    ),
    ("plan check", ["plan check plan.json", "plan check runs/latest"]),
    ("plan schema", ["plan schema", "plan schema > plan.schema.json"]),
    ("replay", ["replay runs/latest", "replay runs/latest --times 10"]),
    ("fuzz", ["fuzz --simulate --for 1m", "fuzz --nemesis pause-leader,kill-one --runs 50"]),
    (
        "simulate",
        ["simulate --nemesis mix --seed 1", "simulate --nemesis partition-ring --time 10m"],
    ),
    ("shrink", ["shrink runs/latest", "shrink runs/latest --simulate --for 5m"]),
    ("minimize", ["minimize runs/latest", "minimize runs/latest -o smallest.jsonl"]),
    ("report", ["report", "report runs/latest --open"]),
    ("serve", ["serve", "serve nights --port 8485"]),
    ("check", ["check runs/latest", "check history.edn --model cas-register"]),
    ("export", ["export runs/latest --key user1 > user1.edn", "export runs/latest --out edn"]),
    ("heal", ["heal", "heal runs"]),
    ("target-check", ["target-check", "target-check --target attach --pd 127.0.0.1:2379"]),
    ("nemeses", ["nemeses", "nemeses | grep pause"]),
    ("defects", ["defects", "defects | grep stale-read"]),
    ("self-test", ["self-test --quick", "self-test --only stale-read,cas-race"]),
    ("doctor", ["doctor", "doctor --runs-dir runs --json"]),
    (
        "completions",
        [
            "completions bash > ~/.local/share/bash-completion/completions/jepsen-tikv",
            "completions zsh > ~/.zfunc/_jepsen-tikv",
        ],
    ),
    ("man", ["man | man -l -", "man --out ~/.local/share/man/man1"]),
    ("nightly", ["nightly --budget 10m", "nightly --config nightly.toml --seed 7 --out nights"]),
    ("", ["test --nemesis pause-leader --time 30", "report --open"]),
];

/// Returns the examples of a command as whole lines, or None for one that has none.
pub fn of(words: &str) -> Option<[String; 2]> {
    let (_, examples) = ALL.into_iter().find(|(known, _)| *known == words)?;
    Some(examples.map(|example| format!("jepsen-tikv {example}")))
}

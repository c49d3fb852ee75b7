//! What a documented command is run as: the same with less of it.
//!
//! In: a command, and the address of a cluster. Out: the command as it is run, and how it comes to
//! its end.

/// How a command comes to its end.
#[derive(Debug, Clone, Copy)]
pub enum Way {
    /// By itself.
    Run,
    /// By Ctrl-C after a while.
    Interrupt,
    /// It is not run here, but there.
    Elsewhere(&'static str),
}

/// Flags whose values are times and counts, and what they are here.
const LESS: [(&str, &str); 9] = [
    ("--time", "2"),
    ("--for", "1s"),
    ("--runs", "1"),
    ("--times", "2"),
    ("--keys", "50"),
    ("--rate", "200"),
    ("--kv", "3"),
    ("--rotate-keys", "5"),
    ("--nemesis-interval", "1"),
];
/// Words that are another here.
const WORDS: [(&str, &str); 6] = [
    ("NAME", "stale-read"),
    ("user1", "register:00001"),
    ("recordcount=10000", "recordcount=100"),
    ("operationcount=1000", "operationcount=200"),
    ("operationcount=1000000", "operationcount=200"),
    ("./target/release/tikv-server", "./tikv-server"),
];

/// The command as it is run, and how it ends. `number` makes names its own.
pub fn shortened(command: &str, pd: &str, number: usize) -> (String, Way) {
    let given = |word: &str| command.split(' ').any(|it| it == word);
    let subcommand = command.split(' ').nth(1).unwrap_or_default();
    let mut words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
    for at in 1..words.len() {
        let before = words[at - 1].clone();
        let word = &mut words[at];
        if let Some((_, less)) = LESS.iter().find(|(flag, _)| *flag == before) {
            (*less).clone_into(word);
        } else if let Some((_, other)) = WORDS.iter().find(|(it, _)| it == word) {
            (*other).clone_into(word);
        } else if word == "PATH" {
            // The flag has the program's name.
            *word = before.replace("--", "./");
        } else if word.ends_with(":2379") {
            pd.clone_into(word);
        }
    }
    let mut more: Vec<String> = Vec::new();
    let mut add = |flags: &str| more.push(flags.to_owned());
    match subcommand {
        "test" | "simulate" => {
            if given("--rotate-keys") {
                // A part is as long as all of it.
                words.iter_mut().filter(|word| *word == "2").for_each(|word| "5".clone_into(word));
            } else if !given("--time") {
                add("--time 2");
            }
            if !given("--keys") {
                add("--keys 50");
            }
            if given("attach") {
                add(&format!("--allow-faults --prefix docs-{number}/"));
            } else if !given("--stores") {
                add("--stores 3");
            }
        }
        "fuzz" if given("--simulate") => add("--time-max 2s"),
        "fuzz" => add("--time-max 1s --profile small.toml"),
        "scenario" => add("--window 1 --gap-max 5m --keys 100"),
        "shrink" => add("--for 2s --attempts-per-step 1 --times 1"),
        "target-check" if given("attach") => add("--allow-faults"),
        "target-check" => add("--stores 3"),
        "nightly" => add("--fresh"),
        _ => {}
    }
    let way = match subcommand {
        "test" if given("--ssh") => Way::Elsewhere("tests/targets.rs tests a host behind ssh"),
        "serve" | "nightly" | "self-test" => Way::Interrupt,
        "cluster" if given("--watch") || given("up") && !given("--detach") => Way::Interrupt,
        _ => Way::Run,
    };
    words.extend(more);
    (words.join(" "), way)
}

//! The fuzz targets are all built, seeded and run by night; and what they start from is read here
//! too, without a fuzzer.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};
use yaml_rust2::YamlLoader;

/// The seeds of all targets together, bytes: they are in everybody's clone.
const SEEDS_MAX: u64 = 64 << 10;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder);
    let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

fn stem(path: &Path) -> String {
    path.file_stem().expect("a name").to_string_lossy().into_owned()
}

fn targets() -> BTreeSet<String> {
    entries(&root().join("fuzz/fuzz_targets")).iter().map(|path| stem(path)).collect()
}

#[test]
fn every_target_is_built() {
    let text = std::fs::read_to_string(root().join("fuzz/Cargo.toml")).expect("a manifest");
    let manifest: toml::Table = toml::from_str(&text).expect("TOML");
    let bins = manifest["bin"].as_array().expect("targets").iter();
    let bins: BTreeSet<String> =
        bins.map(|bin| bin["name"].as_str().expect("a name").to_owned()).collect();
    assert_eq!(bins, targets());
}

#[test]
fn every_target_is_run_by_night() {
    let path = root().join(".github/workflows/nightly.yml");
    let text = std::fs::read_to_string(path).expect("a workflow");
    let workflow = &YamlLoader::load_from_str(&text).expect("YAML")[0];
    let steps = workflow["jobs"]["fuzz"]["steps"].as_vec().expect("steps");
    let env = steps.iter().find_map(|step| step["env"]["TARGETS"].as_str()).expect("TARGETS");
    let run: BTreeSet<String> = env.split_whitespace().map(str::to_owned).collect();
    assert_eq!(run, targets());
}

#[test]
fn the_seeds_are_few_and_small() {
    let seeds = root().join("fuzz/seeds");
    let seeded: BTreeSet<String> = entries(&seeds).iter().map(|path| stem(path)).collect();
    // These start from histories/corpus.
    let of_histories = ["export", "imports", "jsonl"].map(str::to_owned);
    let all: BTreeSet<String> = seeded.iter().cloned().chain(of_histories).collect();
    assert_eq!(all, targets());
    let files: Vec<PathBuf> = entries(&seeds).iter().flat_map(|folder| entries(folder)).collect();
    let bytes: u64 = files.iter().map(|file| file.metadata().expect("a file").len()).sum();
    assert!(bytes <= SEEDS_MAX, "{bytes} bytes");
}

#[test]
fn what_the_program_reads_of_the_seeds_is_read_without_a_panic() {
    let read = |target: &str| {
        let files = entries(&root().join("fuzz/seeds").join(target)).into_iter();
        files.map(|path| std::fs::read(path).expect("a seed")).collect::<Vec<_>>()
    };
    for text in read("plan") {
        jepsen_tikv::fuzz_entry_points::plan(&text);
    }
    for text in read("settings") {
        let text = String::from_utf8_lossy(&text);
        jepsen_tikv::fuzz_entry_points::nightly(&text);
        jepsen_tikv::fuzz_entry_points::profile(&text);
        jepsen_tikv::fuzz_entry_points::defaults(&text);
    }
    for text in read("pd_answers") {
        client::pd_http::doors::answers(&text);
    }
}

//! The panels of a report that come from looking at the cluster during the run: leaders, regions,
//! replicas.
//!
//! In: `cluster-samples.jsonl`, if the run has it. Out: panels, and which stores there were. A torn
//! last line is passed over; looks without the run's clock are not drawn.

use super::panels::seconds;
use histories::cluster_sample::Sample;
use run_directory::plain_file;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufReader, Read},
    path::Path,
};

/// With more regions than this their leaders are counted per store.
const REGIONS_SHOWN_MAX: usize = 20;

/// A look is a few thousand bytes, one a second: two days of them.
const SAMPLES_BYTES_MAX: u64 = 512 << 20;

/// Reads the looks of a run, those that can be read.
pub fn read(path: &Path) -> Vec<Sample> {
    let Ok(file) = plain_file::open(path) else { return Vec::new() };
    let mut samples = Vec::new();
    plain_file::each_line(BufReader::new(file.take(SAMPLES_BYTES_MAX)), |line| {
        let sample = serde_json::from_slice::<Sample>(line).ok();
        samples.extend(sample.filter(|sample| sample.run_ns.is_some()));
    });
    samples
}

/// The stores that were ever seen.
pub fn stores(samples: &[Sample]) -> BTreeSet<u64> {
    samples.iter().flat_map(|sample| sample.stores.iter().map(|store| store.id)).collect()
}

fn at_s(sample: &Sample) -> f64 {
    seconds(sample.run_ns.unwrap_or_default())
}

/// All panels, in the order of the page.
pub fn panels(samples: &[Sample]) -> Vec<Value> {
    if samples.is_empty() {
        return Vec::new();
    }
    let regions: BTreeSet<u64> =
        samples.iter().flat_map(|sample| sample.regions.iter().map(|region| region.id)).collect();
    let mut panels = Vec::new();
    if regions.len() <= REGIONS_SHOWN_MAX {
        panels.push(leader_per_region(samples, &regions));
    }
    panels.push(per_store(samples, "leaders", "Leaders per store", |store| store.leaders));
    panels
        .push(per_store(samples, "regions", "Regions (replicas) per store", |store| store.regions));
    panels.push(replicas(samples));
    panels
}

/// A lane for each region, coloured and labelled by the store that leads it.
fn leader_per_region(samples: &[Sample], regions: &BTreeSet<u64>) -> Value {
    let stores = stores(samples);
    let mut segments: Vec<Value> = Vec::new();
    for (lane, region) in regions.iter().enumerate() {
        let mut open: Option<(f64, Option<u64>)> = None;
        let mut close = |open: Option<(f64, Option<u64>)>, to: f64| {
            if let Some((from, leader)) = open {
                let (tone, label) = match leader {
                    Some(store) => {
                        (json!(stores.iter().position(|it| *it == store)), format!("store-{store}"))
                    }
                    None => (json!("dim"), "no leader".to_owned()),
                };
                segments.push(
                    json!({ "lane": lane, "from": from, "to": to, "tone": tone, "label": label }),
                );
            }
        };
        for sample in samples {
            let leader = sample.regions.iter().find(|it| it.id == *region).map(|it| it.leader);
            match (open, leader) {
                (Some((_, then)), Some(now)) if then == now => {}
                (_, Some(now)) => {
                    close(open, at_s(sample));
                    open = Some((at_s(sample), now));
                }
                (_, None) => {
                    close(open, at_s(sample));
                    open = None;
                }
            }
        }
        close(open, samples.last().map_or(0.0, at_s));
    }
    let lanes: Vec<String> = regions.iter().map(|region| format!("region {region}")).collect();
    json!({ "id": "leader", "title": "Leader of each region, as PD knew it", "lanes": lanes, "segments": segments, "legend": [], "bands": false })
}

fn per_store(
    samples: &[Sample],
    id: &str,
    title: &str,
    value: fn(&histories::cluster_sample::StoreSeen) -> u64,
) -> Value {
    let mut lines: BTreeMap<u64, Vec<[f64; 2]>> = BTreeMap::new();
    for sample in samples {
        for store in &sample.stores {
            lines.entry(store.id).or_default().push([at_s(sample), value(store) as f64]);
        }
    }
    let series: Vec<Value> = lines
        .into_iter()
        .enumerate()
        .map(|(tone, (store, values))| {
            json!({ "name": format!("store-{store}"), "kind": "step", "tone": tone, "values": values })
        })
        .collect();
    json!({ "id": id, "title": title, "whole": true, "height": 110, "series": series })
}

/// The fewest and the most voters that any region had.
fn replicas(samples: &[Sample]) -> Value {
    let line = |pick: fn(&Sample) -> Option<usize>| -> Vec<[f64; 2]> {
        let point = |sample: &Sample| Some([at_s(sample), pick(sample)? as f64]);
        samples.iter().filter_map(point).collect()
    };
    let fewest = line(|sample| sample.regions.iter().map(|region| region.voters.len()).min());
    let most = line(|sample| sample.regions.iter().map(|region| region.voters.len()).max());
    json!({ "id": "replicas", "title": "Voters of a region", "whole": true, "height": 90, "series": [
        { "name": "most", "kind": "step", "tone": 0, "values": most },
        { "name": "fewest", "kind": "step", "tone": 1, "dash": 1, "values": fewest },
    ] })
}

//! Formats a cluster's status as tables of its processes and its regions. Pure: a status in, lines
//! out.

use super::status::{ClusterStatus, Instance, RegionStatus};

/// Columns and their alignment; true = right, for numbers. With TiKV's ports and all stores Up, a
/// line fits 80 columns.
const INSTANCES: [(&str, bool); 8] = [
    ("NAME", false),
    ("ADDRESS", false),
    ("STATUS", true),
    ("PID", true),
    ("PROCESS", false),
    ("LEADERS", true),
    ("REGIONS", true),
    ("PD SAYS", false),
];
const REGIONS: [(&str, bool); 5] =
    [("REGION", true), ("LEADER", false), ("KEYS", true), ("REPLICAS", false), ("RANGE", false)];
/// The number of regions up to which each gets a line; more are only counted.
const REGIONS_MAX: usize = 30;

/// The lines of the tables, those about the whole cluster first.
pub fn lines(status: &ClusterStatus) -> Vec<String> {
    let mut lines = about(status);
    if let Some(error) = &status.pd_error {
        lines.push(format!("PD says nothing: {error}"));
    }
    lines.push(String::new());
    lines.extend(table(INSTANCES, status.instances.iter().map(instance).collect()));
    if !status.regions.is_empty() {
        lines.push(String::new());
        let shown = status.regions.iter().take(REGIONS_MAX);
        lines.extend(table(REGIONS, shown.map(region).collect()));
    }
    match status.regions.len().saturating_sub(REGIONS_MAX) {
        0 => {}
        more => lines.push(format!("and {more} more regions; --json has all of them")),
    }
    lines
}

fn about(status: &ClusterStatus) -> Vec<String> {
    let supervisor = status.supervisor_pid.map(|pid| format!(" (supervisor: PID {pid})"));
    let mut lines = vec![match &status.tag {
        Some(tag) => {
            format!("cluster {tag}: {}{}", status.life.name(), supervisor.unwrap_or_default())
        }
        None => "a cluster that somebody else started".to_owned(),
    }];
    lines.extend(status.pd.as_ref().map(|pd| format!("PD: {pd}")));
    lines.extend(status.dashboard.as_ref().map(|url| format!("dashboard: {url}")));
    lines
}

fn instance(instance: &Instance) -> [String; 8] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    let number = |number: Option<u64>| or_dash(number.map(|number| number.to_string()));
    let port = instance.status_address.as_ref().and_then(|address| address.rsplit(':').next());
    let process = match &instance.ended {
        Some(how) if how != "killed" => format!("{} ({how})", instance.process.name()),
        _ => instance.process.name().to_owned(),
    };
    [
        instance.name.clone(),
        instance.address.clone(),
        or_dash(port.map(str::to_owned)),
        number(instance.pid.map(u64::from)),
        process,
        number(instance.leaders),
        number(instance.regions),
        or_dash(instance.pd_state.clone()),
    ]
}

fn region(region: &RegionStatus) -> [String; 5] {
    [
        region.id.to_string(),
        region.leader.clone().unwrap_or_else(|| "none".into()),
        region.keys.to_string(),
        region.replicas.join(" "),
        region.range.clone(),
    ]
}

fn table<const N: usize>(columns: [(&str, bool); N], rows: Vec<[String; N]>) -> Vec<String> {
    let headings = columns.map(|(heading, _)| heading.to_owned());
    let rows: Vec<[String; N]> = std::iter::once(headings).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let line = |cells: &[String; N]| {
        let cells = cells.iter().zip(widths).zip(columns).map(|((cell, width), (_, right))| {
            if right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::clusters::{spec::Life, status::InstanceState};

    fn store(id: u64, process: InstanceState, ended: Option<&str>) -> Instance {
        Instance {
            name: format!("store-{id}"),
            component: "tikv",
            store_id: Some(id),
            address: format!("127.0.0.1:2016{id}"),
            status_address: Some(format!("127.0.0.1:2018{id}")),
            pid: (process == InstanceState::Running).then_some(7),
            process,
            ended: ended.map(str::to_owned),
            leaders: Some(2),
            regions: Some(11),
            pd_state: Some("Up".into()),
        }
    }

    fn region(id: u64, leader: Option<&str>, keys: u64, range: &str) -> RegionStatus {
        RegionStatus {
            id,
            range: range.into(),
            start_key: String::new(),
            end_key: String::new(),
            leader: leader.map(str::to_owned),
            replicas: vec!["store-1".into(), "store-4".into()],
            keys,
        }
    }

    fn status() -> ClusterStatus {
        ClusterStatus {
            format: "",
            version: 1,
            tag: Some("walk".into()),
            life: Life::Up,
            supervisor_pid: Some(5),
            pd: Some("127.0.0.1:2379".into()),
            dashboard: None,
            pd_error: None,
            instances: vec![
                store(1, InstanceState::Running, None),
                store(4, InstanceState::Killed, Some("killed")),
                store(5, InstanceState::Ended, Some("signal: 11")),
            ],
            regions: vec![
                region(102, Some("store-1"), 0, "(first) .. r"),
                region(110, None, 10_000, "r .. (last)"),
            ],
        }
    }

    #[test]
    fn columns_line_up_and_absent_cells_are_dashes() {
        let expected = "\
cluster walk: up (supervisor: PID 5)
PD: 127.0.0.1:2379

NAME     ADDRESS          STATUS  PID  PROCESS             LEADERS  REGIONS  PD SAYS
store-1  127.0.0.1:20161   20181    7  running                   2       11  Up
store-4  127.0.0.1:20164   20184    -  killed                    2       11  Up
store-5  127.0.0.1:20165   20185    -  ended (signal: 11)        2       11  Up

REGION  LEADER    KEYS  REPLICAS         RANGE
   102  store-1      0  store-1 store-4  (first) .. r
   110  none     10000  store-1 store-4  r .. (last)";
        assert_eq!(lines(&status()).join("\n"), expected);
    }

    #[test]
    fn of_very_many_regions_the_first_are_shown_and_the_rest_is_counted() {
        let mut status = status();
        status.regions = (0..40).map(|id| region(id, None, 0, "")).collect();
        let lines = lines(&status);
        assert_eq!(lines.iter().filter(|line| line.contains("none")).count(), REGIONS_MAX);
        assert_eq!(
            lines.last().map(String::as_str),
            Some("and 10 more regions; --json has all of them")
        );
    }
}

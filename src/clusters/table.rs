//! A cluster's status as a table for people. Pure: a status in, lines out.

use super::status::{ClusterStatus, Instance};

const HEADINGS: [&str; 9] =
    ["NAME", "ID", "ADDRESS", "STATUS", "PID", "PROCESS", "LEADERS", "REGIONS", "PD SAYS"];
/// Columns of numbers, to the right. With TiKV's ports and all stores Up a line fits a terminal of 80 columns.
const RIGHT: [bool; 9] = [false, true, false, true, true, false, true, true, false];

/// The lines of the table, those about the whole cluster first.
pub fn lines(status: &ClusterStatus) -> Vec<String> {
    let mut lines = about(status);
    if let Some(error) = &status.pd_error {
        lines.push(format!("PD says nothing: {error}"));
    }
    lines.push(String::new());
    let rows: Vec<[String; 9]> = status.instances.iter().map(row).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([HEADINGS[column].len()]).max().unwrap_or(0)
    };
    let widths: [usize; 9] = std::array::from_fn(width);
    lines.push(line(HEADINGS.map(str::to_owned), widths));
    lines.extend(rows.into_iter().map(|row| line(row, widths)));
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

fn row(instance: &Instance) -> [String; 9] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    let number = |number: Option<u64>| or_dash(number.map(|number| number.to_string()));
    let port = instance.status_address.as_ref().and_then(|address| address.rsplit(':').next());
    let process = match &instance.ended {
        Some(how) if how != "killed" => format!("{} ({how})", instance.process.name()),
        _ => instance.process.name().to_owned(),
    };
    [
        instance.name.clone(),
        number(instance.store_id),
        instance.address.clone(),
        or_dash(port.map(str::to_owned)),
        number(instance.pid.map(u64::from)),
        process,
        number(instance.leaders),
        number(instance.regions),
        or_dash(instance.pd_state.clone()),
    ]
}

fn line(cells: [String; 9], widths: [usize; 9]) -> String {
    let cells = cells.into_iter().zip(widths).zip(RIGHT).map(|((cell, width), right)| {
        if right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
    });
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clusters::{spec::Life, status::InstanceState};

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

    #[test]
    fn columns_line_up_and_absent_cells_are_dashes() {
        let status = ClusterStatus {
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
        };
        let expected = "\
cluster walk: up (supervisor: PID 5)
PD: 127.0.0.1:2379

NAME     ID  ADDRESS          STATUS  PID  PROCESS             LEADERS  REGIONS  PD SAYS
store-1   1  127.0.0.1:20161   20181    7  running                   2       11  Up
store-4   4  127.0.0.1:20164   20184    -  killed                    2       11  Up
store-5   5  127.0.0.1:20165   20185    -  ended (signal: 11)        2       11  Up";
        assert_eq!(lines(&status).join("\n"), expected);
    }
}

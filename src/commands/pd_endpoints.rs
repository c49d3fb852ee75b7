//! The PD addresses and the client library of the commands for clients.
//!
//! In: flags and properties. Out: addresses of a PD that answers, or one sentence. Starts nothing.

use crate::{cli::PdArgs, commands::clusters};
use client::{DirectClient, DirectOptions, PdHttp, RawKv, TikvClient, TikvClientOptions};
use failure::Failure;
use plan::config::ClientName;
use std::{sync::Arc, time::Duration};

/// The default address of go-ycsb and tiup.
const DEFAULT: &str = "127.0.0.1:2379";
/// The time that PD may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Returns the first that is present of: the flags, the property, the cluster that runs here, the
/// default.
pub fn choose(args: &PdArgs, property: Option<&str>) -> Result<Vec<String>, Failure> {
    let said = |text: &str| text.split(',').map(|one| one.trim().to_owned()).collect::<Vec<_>>();
    let endpoints = match (args.pd.as_slice(), property) {
        ([], Some(property)) if args.tag.is_none() => said(property),
        ([], _) => {
            let running = clusters::running_pd(&args.runs_dir, args.tag.as_deref())?;
            vec![running.unwrap_or_else(|| DEFAULT.into())]
        }
        (flag, _) => flag.to_vec(),
    };
    let endpoints: Vec<String> = endpoints
        .iter()
        .map(|endpoint| {
            endpoint.trim().trim_start_matches("http://").trim_end_matches('/').to_owned()
        })
        .collect();
    match endpoints.iter().find(|endpoint| !is_address(endpoint)) {
        Some(bad) => {
            Err(Failure::usage(format!("--pd {bad:?}: give PD's host:port, for example {DEFAULT}")))
        }
        None => Ok(endpoints),
    }
}

fn is_address(endpoint: &str) -> bool {
    endpoint.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

/// Fails if none of the addresses answers.
pub async fn check(endpoints: &[String]) -> Result<(), Failure> {
    let mut last = String::new();
    for endpoint in endpoints {
        let pd = PdHttp::new(endpoint, PATIENCE).map_err(Failure::target_or_disk)?;
        match pd.members().await {
            Ok(_) => return Ok(()),
            Err(error) => last = error.to_string(),
        }
    }
    Err(Failure::target_or_disk(format!(
        "{last}; start a cluster (jepsen-tikv cluster up --kv 6) or name its PD with --pd HOST:PORT"
    )))
}

/// Returns a client library with connections of its own.
pub fn library(name: ClientName, endpoints: &[String], op_timeout: Duration) -> Arc<dyn RawKv> {
    match name {
        ClientName::Direct => Arc::new(direct(endpoints)),
        ClientName::TikvClient => Arc::new(TikvClient::new(
            endpoints.to_vec(),
            TikvClientOptions { rpc_timeout: op_timeout, ..TikvClientOptions::default() },
        )),
    }
}

/// Returns the direct client.
pub fn direct(endpoints: &[String]) -> DirectClient {
    DirectClient::new(endpoints.to_vec(), DirectOptions::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(flag: &[&str], property: Option<&str>) -> Result<Vec<String>, Failure> {
        let pd = flag.iter().map(|it| (*it).to_owned()).collect();
        choose(&PdArgs { pd, tag: None, runs_dir: "no/such/runs".into() }, property)
    }

    #[test]
    fn the_flag_wins_over_the_property() {
        assert_eq!(chosen(&["a:1"], Some("b:2")).expect("usable"), ["a:1"]);
        assert_eq!(chosen(&[], Some("b:2, http://c:3/")).expect("usable"), ["b:2", "c:3"]);
        assert_eq!(chosen(&[], None).expect("usable"), [DEFAULT]);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in ["nowhere", ":2379", "host:", "host:0", "host:99999"] {
            assert!(chosen(&[bad], None).expect_err("refused").sentence.contains("--pd"));
        }
    }
}

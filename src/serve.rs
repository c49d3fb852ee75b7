//! `cluster`: an embedded cluster for other clients, kept until Ctrl-C.
//!
//! In: a shape. Out: PD's address on stdout, and a cluster that serves.

use crate::{
    cli::ClusterArgs,
    exit::{Exit, Failure},
    heal,
    interrupt::{Interrupt, Urgency},
    live,
    run_directory::RunDirectory,
    targets::under_test::UnderTest,
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

/// How long the cluster may take until it is whole.
const WHOLE_WITHIN: Duration = Duration::from_mins(5);

/// Starts the cluster and keeps it until somebody asks for its end.
pub fn command(args: &ClusterArgs) -> Result<Exit, Failure> {
    let shape = args.checked_shape()?;
    heal::before_a_run(&args.runs_dir);
    let run = RunDirectory::create(&args.runs_dir, "cluster")?;
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::software)?;
    runtime.block_on(async {
        let interrupt = Interrupt::listen().map_err(Failure::software)?;
        let target = UnderTest::start_embedded(&shape, &run, (Vec::new(), Vec::new())).await?;
        let target = Arc::new(target);
        let whole = tokio::select! {
            whole = target.await_whole(WHOLE_WITHIN) => whole,
            () = interrupt.at_least(Urgency::Early) => Ok(()),
        };
        if whole.is_ok() && interrupt.urgency() == Urgency::None {
            crate::terminal::result(format_args!("PD: {}", target.pd_endpoints().join(",")));
            let live = live::serve(
                live::Source {
                    title: format!("embedded cluster of {} stores", shape.stores),
                    pd_endpoints: target.pd_endpoints().to_vec(),
                    processes: Some(target.clone()),
                    tester: None,
                },
                SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            )
            .await?;
            crate::terminal::result(format_args!("dashboard: {}", live.url()));
            crate::terminal::result(format_args!("everything else: {}", run.cluster().display()));
            interrupt.at_least(Urgency::Early).await;
        }
        target.stop().await;
        whole.map(|()| Exit::Valid)
    })
}

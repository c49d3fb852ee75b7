//! The kernel's limits and clock: cores, memory, open files, processes, the clock, TiKV's ports.
//!
//! In: `/proc` and `/sys`. Out: findings. A value that cannot be read is reported as such, not
//! guessed.

use super::Finding;
use std::{
    fs,
    hint::black_box,
    net::{Ipv4Addr, TcpListener},
    time::Instant,
};
use targets::listening;

/// The most open files that an embedded cluster of six stores uses in one process.
const OPEN_FILES_MIN: u64 = 1024;
/// The limit that `tikv-server` demands before it starts.
const TIKV_OPEN_FILES: u64 = 82_920;
/// The memory for six stores, PD and the tester.
const MEMORY_MIN_MIB: u64 = 1024;
/// The default ports of PD, TiKV and its status.
const TIKV_PORTS: [(&str, u16); 3] = [("PD", 2379), ("TiKV", 20_160), ("TiKV's status", 20_180)];
/// A slower clock is read by a system call.
const CLOCK_READ_NS_MAX: f64 = 200.0;

/// Examines all of these limits.
pub fn look() -> Vec<Finding> {
    vec![cores(), memory(), open_files(), processes(), clock(), loopback(), ports()]
}

fn cores() -> Finding {
    const WHAT: &str = "cores";
    match std::thread::available_parallelism() {
        Ok(cores) if cores.get() >= 2 => Finding::good(WHAT, format!("{cores}")),
        Ok(_) => Finding::limits(
            WHAT,
            "only one: stores, clients and faults take turns, so throughput is low and pauses blur; leave --concurrency small",
        ),
        Err(error) => Finding::limits(WHAT, format!("unknown: {error}")),
    }
}

fn memory() -> Finding {
    const WHAT: &str = "memory";
    match proc_number("/proc/meminfo", "MemAvailable:") {
        Some(kib) if kib / 1024 >= MEMORY_MIN_MIB => {
            Finding::good(WHAT, format!("{} MiB available", kib / 1024))
        }
        Some(kib) => Finding::limits(
            WHAT,
            format!(
                "{} MiB available: six stores with the default 10,000 keys may not fit; use --stores 3 and fewer --keys",
                kib / 1024
            ),
        ),
        None => Finding::limits(WHAT, "unknown: /proc/meminfo does not say"),
    }
}

fn open_files() -> Finding {
    const WHAT: &str = "open files";
    match limit("Max open files") {
        None => Finding::limits(WHAT, "unknown: /proc/self/limits does not say"),
        Some(files) if files < OPEN_FILES_MIN => Finding::limits(
            WHAT,
            format!(
                "{files} a process: many clients or regions will not fit; raise it with ulimit -n {OPEN_FILES_MIN}"
            ),
        ),
        Some(files) if files < TIKV_OPEN_FILES => Finding::good(
            WHAT,
            format!(
                "{} a process; real tikv-server asks for {TIKV_OPEN_FILES} by itself, --target binaries asks it for less",
                shown(files)
            ),
        ),
        Some(files) => Finding::good(WHAT, format!("{} a process", shown(files))),
    }
}

fn processes() -> Finding {
    const WHAT: &str = "processes";
    match limit("Max processes") {
        None => Finding::limits(WHAT, "unknown: /proc/self/limits does not say"),
        Some(threads) if threads < 512 => Finding::limits(
            WHAT,
            format!(
                "{threads} threads of this user in all: raise it with ulimit -u, or use fewer --stores"
            ),
        ),
        Some(threads) => {
            Finding::good(WHAT, format!("{} threads of this user in all", shown(threads)))
        }
    }
}

fn clock() -> Finding {
    const WHAT: &str = "clock";
    const READS: u32 = 2_000;
    const TIMES: usize = 50;
    let source =
        fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource")
            .map_or_else(|_| "of unknown source".to_owned(), |name| name.trim().to_owned());
    let measure = || {
        let began = Instant::now();
        for _ in 0..READS {
            black_box(Instant::now());
        }
        began.elapsed().as_nanos() as f64 / f64::from(READS)
    };
    // The fastest of many reads measures the clock, the others measure the load of the cores.
    let read_ns = (0..TIMES).map(|_| measure()).fold(f64::INFINITY, f64::min);
    let said = format!("{source}, {read_ns:.0} ns a reading");
    if read_ns <= CLOCK_READ_NS_MAX {
        Finding::good(WHAT, said)
    } else {
        Finding::limits(
            WHAT,
            format!("{said}: two readings an operation cost throughput; verdicts are not affected"),
        )
    }
}

fn loopback() -> Finding {
    const WHAT: &str = "loopback";
    match TcpListener::bind((Ipv4Addr::LOCALHOST, 0)) {
        Ok(_) => Finding::good(WHAT, "ports can be listened on at 127.0.0.1"),
        Err(error) => Finding::bad(WHAT, format!("127.0.0.1 cannot be listened on: {error}")),
    }
}

fn ports() -> Finding {
    const WHAT: &str = "TiKV's ports";
    let taken = TIKV_PORTS.iter().filter_map(|(who, port)| {
        TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).err()?;
        let holder = listening::process(*port).map_or_else(
            |_| String::new(),
            |process| format!(" by {} (PID {})", process.command, process.pid),
        );
        Some(format!("{port} ({who}) is taken{holder}"))
    });
    let taken: Vec<String> = taken.collect();
    if taken.is_empty() {
        return Finding::good(WHAT, "2379, 20160 and 20180 are free");
    }
    Finding::limits(
        WHAT,
        format!(
            "{}: cluster up takes the next free ones; test draws ports of its own",
            taken.join(", ")
        ),
    )
}

/// Returns a limit of this process; `u64::MAX` = none.
fn limit(name: &str) -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

fn shown(limit: u64) -> String {
    if limit == u64::MAX { "any number".into() } else { limit.to_string() }
}

fn proc_number(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

//! Finds the local process that listens on a port, like `lsof -i`, by reading `/proc`.
//!
//! In: a port. Out: the process, or the reason why it is not known: nobody listens, or it belongs
//! to another user and may not be inspected. [`nemesis::RemoteHost`] asks other hosts.

use nemesis::ProcessIdentity;
use std::{collections::BTreeSet, fs};

/// The state `LISTEN` in `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// The process that listens on a TCP port of this machine, or the reason why it is not known.
pub fn process(port: u16) -> Result<ProcessIdentity, String> {
    let sockets = listening_sockets(port);
    if sockets.is_empty() {
        return Err(format!("nobody listens on port {port} of this machine"));
    }
    let links: BTreeSet<String> =
        sockets.iter().map(|(inode, _)| format!("socket:[{inode}]")).collect();
    let owners: Vec<u32> = processes().filter(|pid| holds(*pid, &links)).collect();
    match owners.as_slice() {
        [pid] => ProcessIdentity::of(*pid).ok_or_else(|| format!("process {pid} has just ended")),
        [] => {
            let user = &sockets[0].1;
            Err(format!(
                "the process that listens on port {port} belongs to user {user}, and only that user or root may look \
                 for it: run the tester as one of them"
            ))
        }
        several => Err(format!("several processes listen on port {port}: {several:?}")),
    }
}

/// The sockets that listen on a port: inode and user.
fn listening_sockets(port: u16) -> Vec<(String, String)> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    let lines = tables.iter().flatten().flat_map(|table| table.lines().skip(1));
    lines.filter_map(|line| listening(line, port)).collect()
}

fn listening(line: &str, port: u16) -> Option<(String, String)> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
    let is_ours = u16::from_str_radix(local_port, 16).ok()? == port && *fields.get(3)? == LISTEN;
    is_ours.then(|| Some(((*fields.get(9)?).to_owned(), (*fields.get(7)?).to_owned())))?
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn holds(pid: u32, links: &BTreeSet<String>) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    files
        .filter_map(|file| fs::read_link(file.path()).ok())
        .any(|link| link.to_str().is_some_and(|link| links.contains(link)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn this_process_is_found_by_the_port_it_listens_on() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // A machine without IPv6 has only the first address.
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let port = listener.local_addr().expect("bound").port();
            assert_eq!(process(port).map(|it| it.pid), Ok(std::process::id()));
        }
        // The port is below the automatically assigned ones, so no other test has it.
        assert!(process(1).expect_err("nobody").contains("nobody listens"));
    }

    #[test]
    fn a_line_of_the_table_is_read() {
        let line = "   0: 0100007F:4EC0 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12345 1 0";
        assert_eq!(listening(line, 20160), Some(("12345".into(), "1000".into())));
        assert_eq!(listening(line, 20161), None);
        assert_eq!(listening(&line.replace(" 0A ", " 01 "), 20160), None);
    }
}

//! Reserves a process's port while the process is dead.
//!
//! A killed store has to come back on its old port. Meanwhile the system could give that port to
//! another process, for a connection or for listening on any port. So the tester binds the port for
//! as long as the cluster lives, without listening. Linux lets the store bind and listen beside
//! that, since both set `SO_REUSEADDR` (tokio, Go and gRPC set it when they listen). Ports that the
//! system chooses never are such ports. A process that asks for this very port still gets it.
//!
//! In: an address, port 0 = pick one. Out: the address, and the guard that holds it.

use std::net::SocketAddr;
use tokio::net::TcpSocket;

/// Holds a port until it is dropped.
#[derive(Debug)]
pub struct HeldPort(#[expect(dead_code, reason = "it holds the port by being there")] TcpSocket);

/// Holds an address's port. A taken port cannot be held; the process that should serve there will
/// report that.
pub fn held(addr: SocketAddr) -> (SocketAddr, Option<HeldPort>) {
    let hold = || -> std::io::Result<(SocketAddr, HeldPort)> {
        let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(addr)?;
        Ok((socket.local_addr()?, HeldPort(socket)))
    };
    match hold() {
        Ok((addr, port)) => (addr, Some(port)),
        Err(_) => (addr, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    #[test]
    fn its_owner_listens_again_and_again_and_nobody_gets_it_by_chance() {
        let (addr, port) = held((Ipv4Addr::LOCALHOST, 0).into());
        assert!(port.is_some() && addr.port() != 0);
        for _ in 0..3 {
            let owner = TcpListener::bind(addr).expect("its owner may");
            assert!(TcpListener::bind(addr).is_err(), "nobody else while it listens");
            let stream = TcpStream::connect(addr).expect("it is the owner that answers");
            drop((owner.accept().expect("a connection"), stream));
        }
        // A socket without `SO_REUSEADDR` stands for one whose port the system chooses.
        let other = TcpSocket::new_v4().expect("a socket");
        assert!(other.bind(addr).is_err(), "it is taken while its owner is dead");
    }
}

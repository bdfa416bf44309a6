//! Who of this machine is at the other end of a connection. A technician's terminal must not press Allow for the next
//! session: what its user calls with is turned away, and so is whoever of this machine cannot be named.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
};

use tokio::net::TcpStream;

use crate::session::is_own;

/// The kernel's lists of connections, of this network namespace.
const TABLES: [&str; 2] = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];
const PASSWD: &str = "/etc/passwd";
/// A list that changes while it is read may leave out a line that stayed.
const LOOKS: usize = 3;

/// Somebody who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// From another machine.
    Elsewhere,
    /// From this one, as this user.
    Here(u32),
    /// From this one, and gone already or not to be found.
    Unknown,
}

/// Whether this connection is one that the page does not speak to, where terminals are `user`'s.
pub(super) async fn turned_away(stream: &TcpStream, user: &str) -> bool {
    let (Ok(here), Ok(there)) = (stream.local_addr(), stream.peer_addr()) else { return true };
    let user = user.to_owned();
    let judged = tokio::task::spawn_blocking(move || {
        let caller = caller(plain(here), plain(there))?;
        Ok::<_, io::Error>(!enters(caller, &std::fs::read_to_string(Path::new(PASSWD))?, &user))
    });
    judged.await.is_ok_and(|judged| judged.unwrap_or(true))
}

/// Users of this system other than the terminals', and other machines where the settings let them. A number without a
/// name is nobody whom the settings could have meant: users may have spare numbers (subuid(5)).
fn enters(caller: Caller, passwd: &str, user: &str) -> bool {
    let Caller::Here(uid) = caller else { return caller == Caller::Elsewhere };
    // No terminal is root's, whatever the settings say, and root needs no page.
    if uid == 0 {
        return true;
    }
    let mut named = passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        Some((fields.next()?, fields.nth(1)?.parse::<u32>().ok()?))
    });
    let mut of_terminals = named.clone().filter(|(name, _)| *name == user);
    named.any(|(_, known)| known == uid) && !of_terminals.any(|(_, theirs)| theirs == uid)
}

fn caller(here: SocketAddr, there: SocketAddr) -> io::Result<Caller> {
    for _ in 0..LOOKS {
        for table in TABLES {
            match std::fs::read_to_string(table) {
                Ok(lines) => {
                    if let Some(uid) = lines.lines().find_map(|line| owner(line, there, here)) {
                        return Ok(Caller::Here(uid));
                    }
                }
                // A kernel without IPv6 has no list of it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        if !is_own(there.ip()) {
            return Ok(Caller::Elsewhere);
        }
    }
    Ok(Caller::Unknown)
}

/// Whose socket a line of proc_net_tcp(5) is, if it goes from `from` to `to`. A socket that its program has closed has no
/// inode, and the kernel says it is root's.
fn owner(line: &str, from: SocketAddr, to: SocketAddr) -> Option<u32> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let ends = (address(fields.next()?)?, address(fields.next()?)?);
    let uid = fields.nth(4)?.parse().ok()?;
    let inode = fields.nth(1)?;
    (ends == (from, to) && inode != "0").then_some(uid)
}

/// Words in this machine's byte order, then the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |at: usize| Some(u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok()?.to_ne_bytes());
    let ip: IpAddr = match ip.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            Ipv6Addr::from(<[u8; 16]>::try_from(words.concat()).ok()?).into()
        }
        _ => return None,
    };
    Some(plain(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?)))
}

/// A socket for both families shows IPv4 addresses as mapped ones.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nanna:x:1000:1000::/home/anna:/bin/sh\n\
        technician:x:1001:1001::/:/bin/sh\ntwin:x:1001:1001::/:/bin/sh\nhalf:x\n";

    #[test]
    fn whoever_is_the_terminals_user_by_whatever_name_or_nobody_by_name_is_turned_away() {
        for (caller, user, enters) in [
            (Caller::Here(0), "technician", true),
            (Caller::Here(0), "root", true),
            (Caller::Here(1000), "technician", true),
            (Caller::Here(1001), "technician", false),
            (Caller::Here(1001), "twin", false),
            // A number out of subuid(5), and a name that is not there yet.
            (Caller::Here(100_000), "technician", false),
            (Caller::Here(1000), "nobody-here", true),
            (Caller::Unknown, "technician", false),
            (Caller::Elsewhere, "technician", true),
        ] {
            assert_eq!(super::enters(caller, PASSWD, user), enters, "{caller:?} {user}");
        }
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn lines_of_the_kernel_s_lists() {
        let at = |text: &str| text.parse().unwrap();
        let line = |inode| {
            format!(
                "   3: 0100007F:C350 0100007F:1D38 01 00000000:00000000 00:00000000 00000000  1001        0 {inode} 1 0"
            )
        };
        assert_eq!(owner(&line("77"), at("127.0.0.1:50000"), at("127.0.0.1:7480")), Some(1001));
        assert_eq!(owner(&line("77"), at("127.0.0.1:50001"), at("127.0.0.1:7480")), None);
        assert_eq!(owner(&line("77"), at("127.0.0.1:7480"), at("127.0.0.1:50000")), None, "our own end");
        assert_eq!(owner(&line("0"), at("127.0.0.1:50000"), at("127.0.0.1:7480")), None, "closed by its program");
        let mapped =
            "0: 0000000000000000FFFF00000100007F:C350 0000000000000000FFFF00000100007F:1D38 01 0:0 0:0 0 7 0 9 1";
        assert_eq!(owner(mapped, at("127.0.0.1:50000"), at("127.0.0.1:7480")), Some(7));
        let six = "0: 00000000000000000000000001000000:C350 00000000000000000000000001000000:1D38 01 0:0 0:0 0 7 0 9 1";
        assert_eq!(owner(six, at("[::1]:50000"), at("[::1]:7480")), Some(7));
        for other in ["", "sl local_address rem_address st", "0: 0100007F:C350 x", "0: 01:C350 01:1 01 0:0 0:0 0 7 0 9"]
        {
            assert_eq!(owner(other, at("127.0.0.1:50000"), at("127.0.0.1:7480")), None, "{other}");
        }
    }

    #[tokio::test]
    async fn a_caller_has_the_user_of_its_socket_and_none_once_it_has_closed_it() {
        let own = rustix::process::geteuid().as_raw();
        for listen in ["127.0.0.1:0", "[::1]:0", "[::]:0"] {
            // A machine without IPv6.
            let Ok(listener) = TcpListener::bind(listen).await else { continue };
            let mut to = listener.local_addr().unwrap();
            if to.ip().is_unspecified() {
                to.set_ip(Ipv4Addr::LOCALHOST.into());
            }
            let there = TcpStream::connect(to).await.unwrap();
            let (here, from) = listener.accept().await.unwrap();
            let ends = (plain(here.local_addr().unwrap()), plain(from));
            assert_eq!(caller(ends.0, ends.1).unwrap(), Caller::Here(own), "{listen}");
            drop(there);
            assert_eq!(caller(ends.0, ends.1).unwrap(), Caller::Unknown, "{listen}");
        }
    }

    #[test]
    fn another_machine_is_elsewhere() {
        let at = |text: &str| text.parse().unwrap();
        assert_eq!(caller(at("127.0.0.1:7480"), at("192.0.2.7:50000")).unwrap(), Caller::Elsewhere);
    }
}

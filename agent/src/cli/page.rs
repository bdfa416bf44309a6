//! The running agent's own page, asked from beside it. A plain HTTP/1.0 request to ourselves needs no client library.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(5);

/// What the page says there.
pub(super) fn get(listen: SocketAddr, path: &str) -> io::Result<String> {
    let (code, body) = ask(listen, &format!("GET {path} HTTP/1.0\r\nHost: {}\r\n", reachable(listen)), "")?;
    if code == "200" { Ok(body) } else { Err(io::Error::other("what listens there does not answer like an agent")) }
}

/// Presses a button of the page.
pub(super) fn press(listen: SocketAddr, path: &str, body: &str) -> io::Result<()> {
    let token = get(listen, "/token")?;
    let body = if body.is_empty() { format!("token={token}") } else { format!("token={token}&{body}") };
    let host = reachable(listen);
    let head = format!(
        "POST {path} HTTP/1.0\r\nHost: {host}\r\nOrigin: http://{host}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
        body.len()
    );
    match ask(listen, &head, &body)? {
        (code, _) if code == "303" => Ok(()),
        (code, _) if code == "404" => Err(io::Error::other("it was answered already, or is not wanted any more")),
        (code, _) => Err(io::Error::other(format!("it answered {code}"))),
    }
}

fn ask(listen: SocketAddr, head: &str, body: &str) -> io::Result<(String, String)> {
    let mut stream = TcpStream::connect_timeout(&reachable(listen), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "{head}Connection: close\r\n\r\n{body}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let read = answer.split_once("\r\n\r\n").and_then(|(head, body)| {
        let code = head.lines().next()?.split(' ').nth(1)?;
        Some((code.to_owned(), body.to_owned()))
    });
    read.ok_or_else(|| io::Error::other("what listens there does not answer like an agent"))
}

/// The address to ask when the page listens on all of them.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

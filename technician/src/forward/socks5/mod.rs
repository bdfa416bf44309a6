//! A SOCKS 5 port (RFC 1928): CONNECT and UDP ASSOCIATE to places in the session's networks, without authentication.
//! Names are resolved at the device. BIND is not offered.

mod wire;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use gatelodge_proto::{
    payload::Protocol,
    session::inner_frame::{MAX_PAYLOAD, Target},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UdpSocket},
};

use self::wire::{
    NO_AUTHENTICATION, NO_METHOD, NotSocks5, Place, Reply, Request, datagram, datagram_head, take_greeting,
    take_request,
};
use super::{
    Flows,
    fan::{Back, Fan},
};

/// Longest wait for a client's greeting and request.
const ASKED_WITHIN: Duration = Duration::from_secs(10);
/// The longest head of a datagram: a name of 253 characters.
const MAX_HEAD: usize = 3 + 2 + 255 + 2;

/// Carries out what one client asks for.
pub(super) async fn serve(flows: &Flows, mut tcp: TcpStream, client: SocketAddr) {
    let _ = tcp.set_nodelay(true);
    let asked = match tokio::time::timeout(ASKED_WITHIN, ask(&mut tcp)).await {
        Ok(Ok(asked)) => asked,
        Ok(Err(error)) => return tracing::debug!(%error, "a SOCKS client is not served"),
        Err(_) => return tracing::debug!("a SOCKS client did not say what it wants"),
    };
    let served = match asked {
        Request::Connect(place) => connect(flows, tcp, place).await,
        Request::Associate => associate(flows, tcp, client).await,
        Request::Impossible(reply) => answer(&mut tcp, reply, NOWHERE).await,
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a SOCKS client went away");
    }
}

/// Where a connection is bound at the device is not told.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

async fn ask(tcp: &mut TcpStream) -> io::Result<Request> {
    let mut buffer = BytesMut::new();
    if !read(tcp, &mut buffer, take_greeting).await? {
        tcp.write_all(&NO_METHOD).await?;
        return Err(io::Error::other("it offers no way without authentication"));
    }
    tcp.write_all(&NO_AUTHENTICATION).await?;
    let request = read(tcp, &mut buffer, take_request).await?;
    // A client waits for the answer before it goes on (section 6).
    if buffer.is_empty() { Ok(request) } else { Err(io::Error::other(NotSocks5)) }
}

async fn read<T>(
    tcp: &mut TcpStream,
    buffer: &mut BytesMut,
    take: impl Fn(&mut BytesMut) -> Result<Option<T>, NotSocks5>,
) -> io::Result<T> {
    loop {
        if let Some(taken) = take(buffer).map_err(io::Error::other)? {
            return Ok(taken);
        }
        if tcp.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

async fn answer(tcp: &mut TcpStream, reply: Reply, bound: SocketAddr) -> io::Result<()> {
    tcp.write_all(&reply.encode(bound)).await
}

async fn connect(flows: &Flows, mut tcp: TcpStream, place: Place) -> io::Result<()> {
    match flows.reach(target(Protocol::Tcp, &place)).await {
        Ok(reached) => {
            answer(&mut tcp, Reply::Succeeded, NOWHERE).await?;
            flows.pump(tcp, reached).await;
            Ok(())
        }
        Err(failure) => answer(&mut tcp, failure.into(), NOWHERE).await,
    }
}

/// A way for datagrams, which is there as long as the client's connection. Only the client's own address is heard, and
/// only the port that it spoke from first.
async fn associate(flows: &Flows, mut tcp: TcpStream, client: SocketAddr) -> io::Result<()> {
    let udp = match UdpSocket::bind((tcp.local_addr()?.ip(), 0)).await {
        Ok(udp) => Arc::new(udp),
        Err(error) => {
            answer(&mut tcp, Reply::Failed, NOWHERE).await?;
            return Err(error);
        }
    };
    answer(&mut tcp, Reply::Succeeded, udp.local_addr()?).await?;
    let mut fan: Fan<Place> = Fan::new(flows.clone(), udp.clone());
    let (mut from, mut buffer, mut word) = (None, BytesMut::new(), [0; 1]);
    loop {
        buffer.reserve(MAX_HEAD + MAX_PAYLOAD + 1);
        tokio::select! {
            received = udp.recv_buf_from(&mut buffer) => match received {
                Ok((_, peer)) if peer.ip() == client.ip() && *from.get_or_insert(peer) == peer => {
                    if let Some((place, words)) = datagram(&Bytes::copy_from_slice(&buffer)) {
                        let back = || Back { peer, head: datagram_head(&place) };
                        fan.pass(place.clone(), &target(Protocol::Udp, &place), words, back);
                    }
                }
                Ok(_) => tracing::debug!("a datagram of somebody else came to a SOCKS port"),
                Err(error) => tracing::debug!(%error, "the client does not take its datagrams"),
            },
            // Whatever it says now, it is not SOCKS; its end is the end.
            ended = tcp.read(&mut word) => return ended.map(|_| ()),
        }
        buffer.clear();
    }
}

fn target(protocol: Protocol, place: &Place) -> Target {
    Target::Address { protocol, host: place.host.clone(), port: place.port }
}

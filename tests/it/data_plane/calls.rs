//! The installation calls: through a port of the device, which is open while the session lives, to the technician's
//! program, and to nobody else from nobody else.

use std::{io::ErrorKind, net::SocketAddr, sync::Arc, time::Duration};

use gatelodge_proto::{
    payload::{EndReason, FlowOutcome, Happening, Listen, Protocol},
    session::{Ending, driver::OpenFailure, inner_frame::OpenError},
};
use gatelodge_technician::forward::{Back, Update};
use gatelodge_tests::ports::free_port;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream, UdpSocket},
};

use super::{Live, PATIENCE, Plane};

/// Where callers are; the device itself is at 127.0.0.1, as they see it.
const SITE: &str = "127.0.77.0/24";
const PANEL: [u8; 4] = [127, 0, 77, 50];
const STRANGER: [u8; 4] = [127, 0, 78, 50];

fn listen(name: &str, protocol: Protocol) -> Listen {
    Listen { name: name.parse().unwrap(), protocol, port: free_port().unwrap(), from: SITE.parse().unwrap() }
}

/// A session that is asked for with these, each with the program that takes its calls.
async fn session(wanted: Vec<(Listen, SocketAddr)>) -> (Arc<Plane>, Live) {
    let plane = Plane::start().await;
    let mut change = plane.change(&[]);
    for (listen, local) in wanted {
        change.backs.push(Back { name: listen.name.clone(), protocol: listen.protocol, local });
        change.grant.listens.push(listen);
    }
    let (plane, mut live) = plane.go(change).await;
    live.joined().await;
    (plane, live)
}

/// Connects to a port of the device.
async fn call(from: [u8; 4], port: u16) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect(([127, 0, 0, 1], port).into()).await
}

/// What a caller reads until the end.
async fn heard(from: [u8; 4], port: u16) -> std::io::Result<String> {
    let mut text = String::new();
    call(from, port).await?.read_to_string(&mut text).await.map(|_| text)
}

impl Live {
    async fn told<T>(&mut self, mut pick: impl FnMut(Update) -> Option<T>) -> T {
        loop {
            let update = tokio::time::timeout(PATIENCE, self.updates.recv()).await.unwrap().unwrap();
            if let Some(found) = pick(update) {
                return found;
            }
        }
    }

    async fn over(mut self) -> Vec<Happening> {
        self.stop_technician.cancel();
        assert_eq!(self.ends().await.0.unwrap(), Ending::plain(EndReason::Technician));
        self.events().await
    }
}

#[tokio::test]
async fn a_panel_that_calls_reaches_the_technicians_program_and_both_histories_have_it() {
    let program = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let events = listen("event-receiver", Protocol::Tcp);
    let (_plane, mut live) = session(vec![(events.clone(), program.local_addr().unwrap())]).await;

    let mut panel = call(PANEL, events.port).await.unwrap();
    let caller = panel.local_addr().unwrap();
    let (mut taken, _) = program.accept().await.unwrap();
    panel.write_all(b"zone 3 open").await.unwrap();
    panel.shutdown().await.unwrap();
    let mut said = String::new();
    taken.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "zone 3 open", "a half-close goes through");
    taken.write_all(b"taken").await.unwrap();
    drop(taken);
    let mut answer = String::new();
    panel.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "taken");
    let flow = live.told(|update| if let Update::FlowOpened { flow, .. } = update { Some(flow) } else { None }).await;
    let (up, down) = live
        .told(|update| match update {
            Update::FlowClosed { flow: closed, bytes_up, bytes_down, .. } if closed == flow => {
                Some((bytes_up, bytes_down))
            }
            _ => None,
        })
        .await;
    assert_eq!((up, down), (11, 5));

    let refused = heard(STRANGER, events.port).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionReset, "who may not call is let go");
    drop(program);
    let refused = heard(PANEL, events.port).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionReset, "no program takes the call");
    let failed =
        live.told(
            |update| if let Update::FlowFailed { flow, failure, .. } = update { Some((flow, failure)) } else { None },
        );
    let (second, failure) = failed.await;
    assert_eq!(failure, OpenFailure::Target(OpenError::Refused));

    let mut opened = Vec::new();
    for happening in live.over().await {
        match happening {
            Happening::FlowOpened { flow, target, outcome, .. } => opened.push((flow, target, outcome)),
            Happening::FlowClosed { flow: closed, bytes_up, bytes_down, .. } => {
                assert_eq!((closed, bytes_up, bytes_down), (flow, 11, 5));
            }
            _ => {}
        }
    }
    let words = format!("call of tcp {caller} to event-receiver (port {})", events.port);
    assert_eq!((opened.len(), &opened[0]), (2, &(flow, words, FlowOutcome::Opened)), "{opened:?}");
    assert_eq!((opened[1].0, opened[1].2), (second, FlowOutcome::Refused));
    let closed = call(PANEL, events.port).await.unwrap_err();
    assert_eq!(closed.kind(), ErrorKind::ConnectionRefused, "the port goes with the session");
}

#[tokio::test]
async fn datagrams_of_several_callers_are_answered_each_to_its_own() {
    let program = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let log = listen("panel-log", Protocol::Udp);
    let (_plane, live) = session(vec![(log.clone(), program.local_addr().unwrap())]).await;
    let caller = async |from: [u8; 4]| {
        let socket = UdpSocket::bind(SocketAddr::from((from, 0))).await.unwrap();
        socket.connect(("127.0.0.1", log.port)).await.unwrap();
        socket
    };
    let (stranger, one, two) = (caller(STRANGER).await, caller(PANEL).await, caller(PANEL).await);
    let mut buffer = [0; 9000];
    stranger.send(b"stranger").await.unwrap();
    for length in [1_u16, 1400, 8000] {
        for (word, socket) in [(1, &one), (2, &two)] {
            let datagram = vec![word; usize::from(length)];
            socket.send(&datagram).await.unwrap();
            let (read, from) = program.recv_from(&mut buffer).await.unwrap();
            assert_eq!(buffer[..read], datagram);
            program.send_to(&[word, 0], from).await.unwrap();
            let read = socket.recv(&mut buffer).await.unwrap();
            assert_eq!(buffer[..read], [word, 0]);
        }
    }
    let happenings = live.over().await;
    let opened = happenings.iter().filter(|what| matches!(what, Happening::FlowOpened { .. })).count();
    assert_eq!(opened, 2, "a flow for each caller, and none for a stranger");
}

#[tokio::test]
async fn a_flood_from_forged_addresses_keeps_no_panel_out_and_fills_no_history() {
    let program = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let log = listen("panel-log", Protocol::Udp);
    let (_plane, live) = session(vec![(log.clone(), program.local_addr().unwrap())]).await;
    let answers = tokio::spawn(async move {
        let (mut buffer, mut heard) = ([0; 64], Vec::new());
        loop {
            let (length, from) = program.recv_from(&mut buffer).await.unwrap();
            heard.push(buffer[..length].to_vec());
            if &buffer[..length] == b"zone 3 open" {
                program.send_to(b"taken", from).await.unwrap();
            }
            if &buffer[..length] == b"bye" {
                return heard;
            }
        }
    });
    let flood = async |words: &[u8]| {
        for last in 60..120 {
            let socket = UdpSocket::bind(SocketAddr::from(([127, 0, 77, last], 0))).await.unwrap();
            // Twice, as one does that knows what a caller needs to make others leave.
            for _ in 0..2 {
                socket.send_to(words, ("127.0.0.1", log.port)).await.unwrap();
            }
        }
    };
    // A panel says the same again until it is answered.
    let panel = UdpSocket::bind(SocketAddr::from((PANEL, 0))).await.unwrap();
    panel.connect(("127.0.0.1", log.port)).await.unwrap();
    let reports = async || {
        let mut answer = [0; 16];
        let answered = async {
            loop {
                panel.send(b"zone 3 open").await.unwrap();
                let soon = Duration::from_millis(100);
                if let Ok(length) = tokio::time::timeout(soon, panel.recv(&mut answer)).await {
                    return length.unwrap();
                }
            }
        };
        let length = tokio::time::timeout(PATIENCE, answered).await.expect("the panel is heard");
        assert_eq!(answer[..length], *b"taken");
    };
    flood(b"first wave").await;
    reports().await;
    flood(b"second wave").await;
    reports().await;
    panel.send(b"bye").await.unwrap();
    let heard = answers.await.unwrap();
    assert!(heard.iter().any(|words| words == b"first wave"), "forged callers had places first");
    let opened = live.over().await.into_iter().filter(|what| matches!(what, Happening::FlowOpened { .. })).count();
    assert!(opened <= 20, "{opened} calls are in the history");
}

#[tokio::test]
async fn a_port_that_is_in_use_on_the_device_is_told_and_the_rest_works() {
    let program = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = program.local_addr().unwrap();
    let (free, taken) = (listen("free", Protocol::Tcp), listen("taken", Protocol::Tcp));
    let _holder = TcpListener::bind(("127.0.0.1", taken.port)).await.unwrap();
    let (_plane, mut live) = session(vec![(taken, at), (free.clone(), at)]).await;
    let deaf = live.told(|update| if let Update::Deaf(name) = update { Some(name) } else { None }).await;
    assert_eq!(deaf.as_str(), "taken");
    let _panel = call(PANEL, free.port).await.unwrap();
    program.accept().await.unwrap();
    live.over().await;
}

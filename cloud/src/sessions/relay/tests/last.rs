//! The last word of an end whose connection takes nothing any more.

use std::{
    io,
    pin::Pin,
    sync::atomic::Ordering,
    task::{Context, Poll},
};

use futures_util::{Sink, stream};
use tokio::sync::{Semaphore, mpsc};

use super::{
    super::{leg::serve, socket::Arrived},
    *,
};

/// Takes what it is sent, until it does not any more.
#[derive(Clone, Default)]
struct Takes {
    nothing: Arc<AtomicBool>,
    /// Somebody has met that.
    met: Arc<AtomicBool>,
    taken: Arc<Mutex<Vec<Bytes>>>,
}

impl Sink<Bytes> for Takes {
    type Error = io::Error;
    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let broken = self.nothing.load(Ordering::Relaxed);
        self.met.fetch_or(broken, Ordering::Relaxed);
        Poll::Ready(if broken { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) })
    }
    fn start_send(self: Pin<&mut Self>, frame: Bytes) -> io::Result<()> {
        self.taken.lock().unwrap().push(frame);
        Ok(())
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_ready(cx)
    }
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_ready(cx)
    }
}

async fn soon(holds: impl Fn() -> bool) {
    let looks = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), looks).await.expect("it did not come to that");
}

#[tokio::test]
async fn a_last_word_counts_although_the_connection_takes_nothing_any_more() {
    let book = Book::with(&["device", "technician"]);
    let (relay, address) = relay(Settings::default(), &book).await;
    let (takes, (says, mut said)) = (Takes::default(), mpsc::unbounded_channel());
    let place = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
    let source = stream::poll_fn(move |cx| said.poll_recv(cx));
    let device = tokio::spawn(serve(relay.clone(), place, (takes.clone(), source)));
    let hello =
        Hello { version: VERSION, role: Role::Device, carrier: 0, ticket: "device".into(), resume: None, pledge: None };
    let word = |frame: RelayFrame| assert!(says.send(Arrived::Frame(frame.encode())).is_ok());
    word(RelayFrame::Hello(hello));
    let mut technician = Leg::hello(address, Role::Technician, "technician").await;
    let epoch = technician.up().await;
    let up = RelayFrame::PeerUp { version: VERSION, epoch }.encode();
    soon(|| takes.taken.lock().unwrap().contains(&up)).await;

    takes.nothing.store(true, Ordering::Relaxed);
    technician.say(data(0, b"to nobody")).await;
    soon(|| takes.met.load(Ordering::Relaxed)).await;
    word(RelayFrame::Revoke { reason: EndReason::Device });
    assert_eq!(technician.hear().await, Some(RelayFrame::Revoke { reason: EndReason::Device }));
    assert_eq!(book.ended().await.0, EndReason::Device);
    device.await.unwrap();
}

//! Last words: everything before them leaves, and whoever ends a session says so first.

use super::*;

#[tokio::test(start_paused = true)]
async fn leaving_says_why_after_everything_else() {
    let Joined { mut line, mut relay, .. } = joined().await;
    line.write_all(b"last").await.unwrap();
    let heard = async {
        assert_eq!(hear(&mut relay).await, data(0, b"last"));
        assert_eq!(hear(&mut relay).await, RelayFrame::Revoke { reason: EndReason::Device });
        assert!(relay.next().await.is_none());
        // Read and thrown away: nothing may be left unread when the connection is closed.
        say(&mut relay, data(0, b"late")).await;
        relay
    };
    let (relay, ()) = tokio::join!(heard, line.leave(EndReason::Device));
    drop(relay);
    assert!(matches!(&line.way, Way::Joined(leg) if leg.socket.stream.is_empty()), "something was left unread");
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_because_the_other_end_said_so_lets_it_tell_the_relay_first() {
    let Joined { mut line, mut relay, .. } = joined().await;
    // More than is read ahead, and nobody reads it.
    let unread = Bytes::from(vec![0; 60_000]);
    for count in 0..10 {
        say(&mut relay, RelayFrame::Data { seq: count * 60_000, payload: unread.clone() }).await;
    }
    say(&mut relay, RelayFrame::Revoke { reason: EndReason::Technician }).await;
    line.leave(EndReason::Technician).await;
    assert_eq!(line.view().end(), Some(CarrierEnd::Revoked(EndReason::Technician)));

    let Joined { mut line, mut relay, .. } = joined().await;
    let before = Instant::now();
    let heard = async {
        assert_eq!(hear(&mut relay).await, RelayFrame::Revoke { reason: EndReason::Technician });
        drop(relay);
        before.elapsed()
    };
    let (waited, ()) = tokio::join!(heard, line.leave(EndReason::Technician));
    assert!(waited >= AFTER_THE_OTHER, "it was said although the other end had not had its time");
}

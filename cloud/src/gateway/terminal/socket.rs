//! A browser's end of a terminal: a web socket that begins with a ticket. Pieces of what is typed and drawn are counted
//! both ways; a browser that says more than it may, or something else, loses its place.

use std::{sync::Arc, time::Duration};

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _, stream::SplitSink, stream::SplitStream};
use gatelodge_proto::session::inner_frame::Size;
use tokio::{
    sync::{Semaphore, mpsc::UnboundedReceiver},
    time::{interval, sleep, timeout},
};

use super::{
    live::{Outcome, TYPED, Terminal, Typed},
    seat::{Last, Outward, Seat},
    words::{Why, Word, ends},
};
use crate::{
    accounts::{
        model::{Member, PortalSessionId},
        portal_session,
        tokens::Secret,
    },
    i18n::Language,
    kits::Kits,
};

/// The largest word of a browser: a piece of what is typed.
pub(super) const MOST: usize = 8 * 1024;
/// The ticket comes at once.
const TICKET_WITHIN: Duration = Duration::from_secs(10);
/// A browser answers a ping.
const PING_EVERY: Duration = Duration::from_secs(15);
/// One that was not heard for so long is gone.
const DEAD_AFTER: Duration = Duration::from_secs(45);
/// How often it is looked whether the browser is still signed in.
const LOOKS_EVERY: Duration = Duration::from_secs(2);
/// The last word goes out, or not.
const LAST_WITHIN: Duration = Duration::from_secs(5);
/// Larger windows are drawn by nobody.
const LARGEST: Size = Size { columns: 500, rows: 300 };

/// The browser that came.
pub(super) struct Guest {
    pub(super) member: Member,
    pub(super) browser: PortalSessionId,
    pub(super) secret: Secret,
    pub(super) language: Language,
}

/// What a browser says.
#[derive(Debug, PartialEq, Eq)]
enum Said<'a> {
    Ticket(&'a str, Size),
    Size(Size),
    Shown(usize),
}

impl<'a> Said<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let mut words = text.split(' ');
        let said = match (words.next()?, words.next()?) {
            ("ticket", ticket) => Self::Ticket(ticket, size(words.next()?, words.next()?)?),
            ("size", columns) => Self::Size(size(columns, words.next()?)?),
            ("shown", bytes) => Self::Shown(bytes.parse().ok()?),
            _ => return None,
        };
        words.next().is_none().then_some(said)
    }
}

/// A window that can be drawn.
pub(super) fn size(columns: &str, rows: &str) -> Option<Size> {
    let within = |text: &str, most: u16| text.parse().ok().filter(|count| (1..=most).contains(count));
    Some(Size { columns: within(columns, LARGEST.columns)?, rows: within(rows, LARGEST.rows)? })
}

/// How a browser left.
enum Left {
    /// Without a word, or with its own.
    Gone,
    /// It said what it may not.
    Foreign,
    /// It is signed out.
    SignedOut,
}

/// Serves a browser until it leaves or the terminal is over.
pub(super) async fn serve(socket: WebSocket, terminal: Arc<Terminal>, guest: Guest, kits: Kits) {
    let (mut sink, mut source) = socket.split();
    let Ok(Some((ticket, size))) = timeout(TICKET_WITHIN, ticket(&mut source)).await else { return };
    let (seat, out) = match terminal.sits(&ticket, guest.browser, kits.now(), &kits.random) {
        Ok(seated) => seated,
        Err(why) => {
            let _ = timeout(LAST_WITHIN, goodbye(&mut sink, Why::last(guest.language, &why))).await;
            return hears_out(&mut source).await;
        }
    };
    terminal.size.send_replace(size);
    let mut speaks = std::pin::pin!(speaks(sink, out, guest.language));
    let left = tokio::select! {
        () = &mut speaks => {
            terminal.place.send_modify(|place| place.lose(&seat));
            return hears_out(&mut source).await;
        }
        left = listens(&mut source, &terminal, &seat) => left,
        () = is_signed_out(&guest, &kits) => Left::SignedOut,
    };
    match left {
        Left::Gone => {}
        Left::Foreign => seat.say(Outward::Last(Last::Foreign)),
        Left::SignedOut => {
            // The terminal is ended with it, unless another browser has it meanwhile.
            let mut has_it = false;
            terminal.place.send_if_modified(|place| {
                has_it = place.is_of(&seat);
                false
            });
            if has_it {
                terminal.signed_out.notify_one();
            }
            seat.say(Outward::Last(Last::Over(Outcome::SignedOut)));
        }
    }
    terminal.place.send_modify(|place| place.lose(&seat));
    if !matches!(left, Left::Gone) {
        let _ = timeout(LAST_WITHIN, speaks).await;
        hears_out(&mut source).await;
    }
}

/// Reads on until the browser has closed, too: a connection that is closed with bytes unread takes its last word back.
async fn hears_out(source: &mut SplitStream<WebSocket>) {
    let _ = timeout(LAST_WITHIN, async { while let Some(Ok(_)) = source.next().await {} }).await;
}

async fn ticket(source: &mut SplitStream<WebSocket>) -> Option<(String, Size)> {
    loop {
        match source.next().await?.ok()? {
            Message::Text(text) => {
                let Said::Ticket(ticket, size) = Said::read(&text)? else { return None };
                return Some((ticket.to_owned(), size));
            }
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Binary(_) | Message::Close(_) => return None,
        }
    }
}

/// To the browser, until the last word or the end of its connection.
async fn speaks(mut sink: SplitSink<WebSocket, Message>, mut out: UnboundedReceiver<Outward>, language: Language) {
    let mut pings = interval(PING_EVERY);
    loop {
        let outward = tokio::select! {
            Some(outward) = out.recv() => outward,
            _ = pings.tick() => {
                if sink.send(Message::Ping(Bytes::new())).await.is_err() {
                    return;
                }
                continue;
            }
            else => return,
        };
        let sent = match outward {
            Outward::Begun(replay) => sink.send(told(&Word::Begun { replay })).await,
            Outward::Shown(bytes) => sink.send(Message::Binary(bytes)).await,
            Outward::EndsIn(seconds) => sink.send(told(&ends(language, seconds))).await,
            Outward::Taken(slot) => {
                let sent = sink.send(told(&Word::Taken)).await;
                drop(slot);
                sent
            }
            Outward::Last(last) => return goodbye(&mut sink, Why::last(language, &last)).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

async fn goodbye(sink: &mut SplitSink<WebSocket, Message>, why: Why) {
    // Who is gone hears nothing.
    if sink.send(told(&Word::Over(why))).await.is_ok() {
        let _ = sink.close().await;
    }
}

fn told(word: &Word) -> Message {
    Message::text(serde_json::to_string(word).unwrap_or_default())
}

/// From the browser, until it leaves.
async fn listens(source: &mut SplitStream<WebSocket>, terminal: &Terminal, seat: &Arc<Seat>) -> Left {
    let slots = Arc::new(Semaphore::new(TYPED));
    loop {
        let Ok(Some(Ok(message))) = timeout(DEAD_AFTER, source.next()).await else { return Left::Gone };
        match message {
            Message::Binary(bytes) => {
                let Ok(slot) = slots.clone().try_acquire_owned() else { return Left::Foreign };
                if terminal.typed.send(Typed { seat: seat.clone(), bytes, slot }).await.is_err() {
                    return Left::Gone;
                }
            }
            Message::Text(text) => match Said::read(&text) {
                Some(Said::Size(size)) => drop(terminal.size.send_replace(size)),
                Some(Said::Shown(bytes)) if seat.shown(bytes).is_ok() => {}
                Some(Said::Ticket(..) | Said::Shown(_)) | None => return Left::Foreign,
            },
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Close(_) => return Left::Gone,
        }
    }
}

/// A terminal lasts no longer than the sign-in of the browser that has it, for the same organisation.
async fn is_signed_out(guest: &Guest, kits: &Kits) {
    loop {
        sleep(LOOKS_EVERY).await;
        match portal_session::recognise(kits, &guest.secret).await {
            Ok(Some(found))
                if found.member.user_id == guest.member.user_id
                    && found.member.organisation_id == guest.member.organisation_id => {}
            Ok(_) => return,
            // The session itself stands on its lease; a terminal does not end because nobody can tell.
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a sign-in could not be looked up");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_says_ticket_size_and_how_much_it_has_drawn_and_nothing_else() {
        let usual = Size { columns: 80, rows: 24 };
        assert_eq!(Said::read("ticket abc 80 24"), Some(Said::Ticket("abc", usual)));
        assert_eq!(Said::read("size 80 24"), Some(Said::Size(usual)));
        assert_eq!(Said::read("shown 4096"), Some(Said::Shown(4096)));
        for foreign in [
            "",
            "ticket",
            "ticket abc",
            "size 80",
            "size 0 24",
            "size 501 24",
            "size 80 301",
            "size 80 24 1",
            "shown -1",
            "shown",
            "shown 1 2",
            "type ls",
            "size  80 24",
        ] {
            assert_eq!(Said::read(foreign), None, "{foreign}");
        }
    }
}

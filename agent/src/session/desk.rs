//! Between a session and whichever agent is there: what happened is kept until an agent has it on disk, and who says
//! Stop is heard. Keeps little: a session with more to tell waits, and so do its targets. Never decides anything else.

use std::{collections::VecDeque, io, time::Duration};

use gatelodge_proto::payload::{self, EndReason, Happening};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    time::Instant,
};

use super::order::{Card, Control, Wish, Word};

/// What happened and no agent has taken: more than this waits in the session.
const KEPT: usize = 64;
/// A session without an agent could not be stopped by anybody at the device: it ends after this.
const ALONE: Duration = Duration::from_secs(90);

/// The session's side of the socket.
pub(super) struct Desk {
    listener: UnixListener,
    card: Card,
    agent: Option<Agent>,
    /// When the last agent went, while none is here.
    alone_since: Instant,
    kept: VecDeque<(u64, Happening)>,
    number: u64,
}

struct Agent {
    lines: Lines<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
    /// How many of what is kept it was told.
    told: usize,
}

impl Desk {
    pub(super) fn new(listener: UnixListener, card: Card) -> Self {
        Self { listener, card, agent: None, alone_since: Instant::now(), kept: VecDeque::new(), number: 0 }
    }

    /// Until the session has said everything and an agent has taken it, or none has come for it.
    pub(super) async fn serve(mut self, mut happened: mpsc::Receiver<Happening>, wish: mpsc::Sender<Wish>) {
        let (mut over, mut given_up) = (false, false);
        while !(over && (given_up || self.kept.is_empty())) {
            if self.tell().await.is_err() {
                self.alone();
            }
            tokio::select! {
                accepted = self.listener.accept() => if let Ok((stream, _)) = accepted {
                    self.meet(stream).await;
                },
                control = hear(&mut self.agent) => match control {
                    Some(Control::Stop(reason)) => drop(wish.try_send(Wish::End(reason))),
                    // Room is left for the wish that ends it.
                    Some(Control::Extend(newer)) if wish.capacity() > 1 => drop(wish.try_send(Wish::Extend(newer))),
                    Some(Control::Extend(_)) => tracing::warn!("more time is not taken while other wishes wait"),
                    Some(Control::Taken(number)) => self.taken(number),
                    None => self.alone(),
                },
                what = happened.recv(), if !over && (self.kept.len() < KEPT || given_up) => match what {
                    Some(what) => {
                        if let Some((_, end)) = what.kept_end() {
                            // For the agent that comes next.
                            self.card.shown.until = end.until;
                        }
                        self.number += 1;
                        self.kept.push_back((self.number, what));
                    }
                    None => over = true,
                },
                () = tokio::time::sleep_until(self.alone_since + ALONE), if self.agent.is_none() && !given_up => {
                    tracing::warn!("no agent has come for this session: it ends");
                    given_up = true;
                    let _ = wish.try_send(Wish::End(EndReason::Device));
                }
            }
        }
    }

    /// A newer agent is the one that counts.
    async fn meet(&mut self, stream: UnixStream) {
        let (reader, mut writer) = stream.into_split();
        if say(&mut writer, &Word::Card(self.card.clone())).await.is_ok() {
            self.agent = Some(Agent { lines: BufReader::new(reader).lines(), writer, told: 0 });
        }
    }

    fn alone(&mut self) {
        if self.agent.take().is_some() {
            self.alone_since = Instant::now();
        }
    }

    fn taken(&mut self, number: u64) {
        while self.kept.front().is_some_and(|(first, _)| *first <= number) {
            self.kept.pop_front();
            if let Some(agent) = &mut self.agent {
                agent.told = agent.told.saturating_sub(1);
            }
        }
    }

    /// What is kept is little, so it fits the socket's buffer and nobody is waited for.
    async fn tell(&mut self) -> io::Result<()> {
        let Some(agent) = &mut self.agent else { return Ok(()) };
        while let Some((number, what)) = self.kept.get(agent.told) {
            say(&mut agent.writer, &Word::Happened { number: *number, what: what.clone() }).await?;
            agent.told += 1;
        }
        Ok(())
    }
}

async fn say(writer: &mut OwnedWriteHalf, word: &Word) -> io::Result<()> {
    let mut line = payload::encode(word);
    line.push(b'\n');
    writer.write_all(&line).await
}

/// The agent's next word; `None` when it is gone.
async fn hear(agent: &mut Option<Agent>) -> Option<Control> {
    let Some(agent) = agent else { return std::future::pending().await };
    loop {
        let line = agent.lines.next_line().await.ok()??;
        match serde_json::from_str(&line) {
            Ok(control) => return Some(control),
            Err(error) => tracing::warn!(%error, "a control line is not understood"),
        }
    }
}

#[cfg(test)]
mod tests {
    use gatelodge_proto::{
        FlowId, Random, SessionId, Timestamp,
        consent::ConsentKind,
        payload::{Consent, KeptEnd},
    };
    use tokio::task::JoinHandle;

    use super::*;
    use crate::status::LiveSession;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn card() -> Card {
        let shown = LiveSession {
            session: SessionId::make(NOW, &Random::seeded(1)),
            technician: "Marc Petit".into(),
            organisation: "Petit Alarmes".into(),
            since: NOW,
            until: NOW,
            reason: None,
            consent_kind: ConsentKind::Cloud,
            opened: Vec::new(),
            break_glass: false,
        };
        Card { shown, consent: Consent::Ask }
    }

    fn event(count: u64) -> Happening {
        let (session, flow) = (card().shown.session, FlowId::make(NOW, &Random::seeded(count)));
        Happening::FlowClosed { session, flow, bytes_up: count, bytes_down: 0, duration_ms: 0 }
    }

    struct Scene {
        folder: tempfile::TempDir,
        tell: mpsc::Sender<Happening>,
        wishes: mpsc::Receiver<Wish>,
        desk: JoinHandle<()>,
    }

    fn scene() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        let ((tell, told), (wish, wishes)) = (mpsc::channel(1), mpsc::channel(4));
        let desk = tokio::spawn(Desk::new(listener, card()).serve(told, wish));
        Scene { folder, tell, wishes, desk }
    }

    struct Caller(Lines<BufReader<OwnedReadHalf>>, OwnedWriteHalf);

    impl Scene {
        async fn call(&self) -> Caller {
            let stream = UnixStream::connect(self.folder.path().join("socket")).await.unwrap();
            let (reader, writer) = stream.into_split();
            let mut caller = Caller(BufReader::new(reader).lines(), writer);
            assert_eq!(caller.hear().await, Word::Card(card()));
            caller
        }
    }

    impl Caller {
        async fn hear(&mut self) -> Word {
            serde_json::from_str(&self.0.next_line().await.unwrap().unwrap()).unwrap()
        }

        async fn say(&mut self, control: Control) {
            let mut line = payload::encode(&control);
            line.push(b'\n');
            self.1.write_all(&line).await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_no_agent_has_taken_is_told_to_the_next_one_and_the_last_word_is_waited_for() {
        let scene = scene();
        for count in 1..=3 {
            scene.tell.send(event(count)).await.unwrap();
        }
        let mut first = scene.call().await;
        for number in 1..=3 {
            assert_eq!(first.hear().await, Word::Happened { number, what: event(number) });
        }
        first.say(Control::Taken(2)).await;
        drop(first);
        let mut next = scene.call().await;
        let mut word = next.hear().await;
        // The first agent's word and its end may be seen together.
        while word != (Word::Happened { number: 3, what: event(3) }) {
            word = next.hear().await;
        }
        let Scene { tell, desk, .. } = scene;
        drop(tell);
        next.say(Control::Taken(3)).await;
        desk.await.unwrap();
    }

    #[tokio::test]
    async fn a_session_that_nobody_listens_to_tells_no_more_than_is_kept_and_loses_nothing() {
        let mut scene = scene();
        let told = async {
            for count in 1.. {
                scene.tell.send(event(count)).await.unwrap();
                tracing::trace!(count);
            }
        };
        // One more is in the channel, and one waits for it.
        let all = tokio::time::timeout(Duration::from_millis(300), told).await;
        assert!(all.is_err());
        let mut agent = scene.call().await;
        for number in 1..=KEPT as u64 {
            assert_eq!(agent.hear().await, Word::Happened { number, what: event(number) });
        }
        let more = tokio::time::timeout(Duration::from_millis(300), agent.hear()).await;
        assert!(more.is_err(), "{more:?} was told before anything was taken");
        agent.say(Control::Taken(1)).await;
        let next = KEPT as u64 + 1;
        assert_eq!(agent.hear().await, Word::Happened { number: next, what: event(next) });
        agent.say(Control::Stop(EndReason::Customer)).await;
        assert_eq!(scene.wishes.recv().await, Some(Wish::End(EndReason::Customer)));
    }

    #[tokio::test(start_paused = true)]
    async fn without_an_agent_a_session_ends_after_90_seconds_and_does_not_wait_to_tell_it() {
        let Scene { folder: _folder, tell, mut wishes, desk } = scene();
        let begun = Instant::now();
        assert_eq!(wishes.recv().await, Some(Wish::End(EndReason::Device)));
        assert_eq!(begun.elapsed().as_secs(), 90);
        for count in 0..2 * KEPT as u64 {
            tell.send(event(count)).await.unwrap();
        }
        drop(tell);
        desk.await.unwrap();
    }

    #[tokio::test]
    async fn a_newer_grant_is_handed_on_and_the_next_agent_learns_of_the_end_that_moved() {
        let mut scene = scene();
        let mut first = scene.call().await;
        let grant = "e30.AA".parse().unwrap();
        let newer = Box::new(crate::session::Newer { grant, proof: None, gate: crate::consent::Gate::default() });
        first.say(Control::Extend(newer.clone())).await;
        assert_eq!(scene.wishes.recv().await, Some(Wish::Extend(newer)));
        let until = NOW + Duration::from_secs(1800);
        let end = KeptEnd { granted: until + Duration::from_secs(60), until };
        let what = Happening::SessionExtended { session: card().shown.session, end };
        scene.tell.send(what.clone()).await.unwrap();
        assert_eq!(first.hear().await, Word::Happened { number: 1, what });
        let stream = UnixStream::connect(scene.folder.path().join("socket")).await.unwrap();
        let (reader, writer) = stream.into_split();
        let mut next = Caller(BufReader::new(reader).lines(), writer);
        let Word::Card(shown) = next.hear().await else { panic!("no card") };
        assert_eq!(shown.shown.until, until);
    }
}

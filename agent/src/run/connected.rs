//! One enrolment's time: the link is up or coming up, messages go out until their receipt, orders come in.

use std::time::Duration;

use gatelodge_proto::{
    Timestamp,
    enrol::{Credentials, Standing},
    link::{Event as LinkEvent, Events},
    payload::{self, Event, Happening},
    topics::Up,
};
use tokio::{sync::mpsc, time::Instant};

use super::{
    Agent, Left, PageOrder, RunError,
    code::CodeDesk,
    commands::Ledger,
    renewal,
    report::{self, Reporter},
    sessions::Sessions,
    standing::Inquiry,
};
use crate::{
    cloud::{CloudError, SwappableCertificate, endpoint_dial, endpoint_tls},
    delivery::{Access, Delivery},
    outbox::{HISTORY, Outbox},
    state::{Holding, Leaf, PrivateKey, Registration},
    status::{LinkState, OnSiteCodeShown, Problem, Stage},
};

/// A session process that was told to end has this long; then it is killed.
const SESSIONS_END_WITHIN: Duration = Duration::from_secs(5);

/// News of sessions are taken while so little waits; the rest of the outbox is for results, and for the last words of
/// sessions when the agent stops.
const SESSION_NEWS_UNTIL: usize = HISTORY * 3 / 4;
/// And while they have so few bytes: a message may be many rows.
const SESSION_BYTES_UNTIL: usize = 1024 * 1024;

fn takes_news(outbox: &Outbox) -> bool {
    outbox.len() < SESSION_NEWS_UNTIL && outbox.bytes() < SESSION_BYTES_UNTIL
}

/// The running state of one enrolment.
pub(super) struct Connected<'a> {
    pub(super) agent: &'a mut Agent,
    pub(super) key: PrivateKey,
    pub(super) credentials: Credentials,
    pub(super) certificate: std::sync::Arc<SwappableCertificate>,
    pub(super) delivery: Delivery,
    pub(super) registration: Registration,
    pub(super) ledger: Ledger,
    pub(super) sessions: Sessions,
    pub(super) codes: CodeDesk,
    pub(super) renew_at: Timestamp,
    events: Events,
    reporter: Reporter,
    inquiry: Inquiry,
    look_at: Instant,
}

impl<'a> Connected<'a> {
    pub(super) fn start(agent: &'a mut Agent, key: PrivateKey, credentials: Credentials) -> Result<Self, RunError> {
        let leaf = Leaf::for_key(&credentials.chain, &key.thumbprint()?, Some(credentials.device))?;
        let certificate = SwappableCertificate::new(&credentials.chain, &key)?;
        let tls = endpoint_tls(agent.config.cloud.ca_file.as_deref(), certificate.clone(), &agent.clock)?;
        let registration = agent.state.registration()?;
        let endpoint = credentials.mqtt.parse()?;
        let dial = endpoint_dial(&agent.config.cloud, &endpoint, &agent.random).map_err(CloudError::from)?;
        let access = Access { endpoint, device: credentials.device, dial, tls, pace: super::pace(&agent.config) };
        let (delivery, events) = Delivery::open(access, &agent.boot, agent.random.clone());
        let now = Instant::now();
        agent.board.update(|status| {
            status.stage = Stage::Enrolled { device: credentials.device, epoch: credentials.epoch };
            status.registration = registration.state().cloned();
            status.certificate_until = Some(leaf.not_after);
            status.link = LinkState::Idle;
        });
        let sessions = Sessions::in_state(agent.board.clone(), agent.state.path()).map_err(RunError::Sessions)?;
        // Requests are shown beside who is in.
        agent.show_consent();
        if !agent.config.remote_access.enabled {
            sessions.stop_all(payload::EndReason::Device);
        } else if agent.keeper.pin().is_some() {
            // The agent before may have had no time to end them.
            sessions.stop_unproven(payload::EndReason::Device);
        }
        Ok(Self {
            renew_at: renewal::moment(&leaf, &agent.random),
            codes: CodeDesk::new(agent.config.enrolment.method, now.into_std()),
            reporter: Reporter::new(Duration::from_secs(agent.config.report.interval_s)),
            sessions,
            ledger: Ledger::default(),
            inquiry: Inquiry::default(),
            look_at: now,
            agent,
            key,
            credentials,
            certificate,
            delivery,
            registration,
            events,
        })
    }

    pub(super) async fn run(mut self, orders: &mut mpsc::Receiver<PageOrder>) -> Result<Left, RunError> {
        let stop = self.agent.stop.clone();
        self.tell_gone()?;
        loop {
            self.look()?;
            self.delivery.offer(&self.agent.outbox);
            let wake = self.wake_at();
            let left = tokio::select! {
                event = self.events.next() => match event {
                    Some(event) => self.link_event(event)?,
                    None => Some(Left::Stopped),
                },
                answer = self.inquiry.answer() => self.standing(answer)?,
                // Not while the outbox would have to drop an older row for it: the sessions wait until rows have left.
                news = self.sessions.next(), if takes_news(&self.agent.outbox) => {
                    self.session_news(news)?;
                    None
                }
                Some(order) = orders.recv() => {
                    self.page_order(order)?;
                    None
                }
                () = tokio::time::sleep_until(wake) => None,
                () = stop.cancelled() => Some(Left::Stopped),
            };
            if let Some(left) = left {
                self.leave(left).await?;
                return Ok(left);
            }
        }
    }

    /// What somebody at the device asks for.
    fn page_order(&mut self, order: PageOrder) -> Result<(), RunError> {
        match order {
            PageOrder::StopSession(session) => self.sessions.stop(session, payload::EndReason::Device),
            PageOrder::Answer { draft, allowed } => self.answered(draft, allowed)?,
            PageOrder::ConfirmKey { fingerprint } => self.confirm_key(&fingerprint)?,
            PageOrder::DeclineKey { fingerprint } => self.decline_key(&fingerprint)?,
            PageOrder::ForgetKey { pin } => self.forget_key(pin)?,
            PageOrder::TakeRulesBack => self.take_rules_back()?,
        }
        Ok(())
    }

    /// Everything that time alone brings about.
    fn look(&mut self) -> Result<(), RunError> {
        let now = Instant::now();
        if let Some(code) = self.codes.look(&self.registration, now.into_std(), &self.agent.random) {
            self.happened(Happening::OnSiteCodeShown { code })?;
        }
        self.show_code(now);
        if now >= self.look_at {
            self.look_at = now + report::LOOK;
            let reading = report::read(&self.agent.identity, &self.agent.config, self.epoch(), self.agent.clock.now());
            if self.reporter.is_due(&reading, now.into_std()) {
                self.add(Up::Report, reading)?;
            }
            if self.agent.clock.now() >= self.renew_at {
                self.renew_at = self.agent.clock.now() + renewal::PATIENCE;
                let csr = self.key.request()?;
                self.add(Up::Renew, payload::Renew { csr })?;
            }
        }
        Ok(())
    }

    fn wake_at(&self) -> Instant {
        let now = Instant::now();
        let offer_at = self.delivery.next_at().map(Instant::from_std);
        let code_at = self.codes.next_at(now.into_std()).map(Instant::from_std);
        [offer_at, code_at].into_iter().flatten().fold(self.look_at, Instant::min)
    }

    fn link_event(&mut self, event: LinkEvent) -> Result<Option<Left>, RunError> {
        match event {
            LinkEvent::Connected => {
                tracing::info!("link is up");
                self.inquiry.connected();
                self.delivery.connected();
                let since = self.agent.clock.now();
                self.agent.board.update(|status| {
                    status.link = LinkState::Online { since };
                    status.problem = None;
                });
            }
            LinkEvent::Disconnected { trouble, retry_in } => {
                tracing::info!(%trouble, ?retry_in, "link is down");
                self.offline(&trouble.to_string());
                self.inquiry.failed(&self.agent.cloud, &self.key);
            }
            LinkEvent::Refused { refusal, retry_in } => {
                tracing::warn!(%refusal, ?retry_in, "link is refused");
                self.offline(&refusal.to_string());
                self.inquiry.refused(&refusal, &self.agent.cloud, &self.key);
            }
            LinkEvent::Message(message) => return self.received(message),
        }
        Ok(None)
    }

    fn offline(&self, reason: &str) {
        let now = self.agent.clock.now();
        self.agent.board.update(|status| {
            let since = match &status.link {
                LinkState::Offline { since, .. } => *since,
                LinkState::Idle | LinkState::Online { .. } => now,
            };
            status.link = LinkState::Offline { since, reason: reason.to_owned() };
        });
    }

    /// The cloud has said what it thinks of the key.
    fn standing(&mut self, answer: Result<Standing, CloudError>) -> Result<Option<Left>, RunError> {
        match answer {
            Ok(Standing::Current { chain }) => {
                if chain != self.credentials.chain {
                    self.install(&chain)?;
                }
                Ok(None)
            }
            // The certificate has ended, or the cloud has lost it: enrolling with the same key says which. A key is given
            // up only on a plain word that it is over.
            Ok(Standing::Unknown) => Ok(Some(Left::Unknown)),
            Ok(Standing::Released) => Ok(Some(Left::Released)),
            Ok(Standing::Retired) => Ok(Some(Left::Retired)),
            Err(error) => {
                tracing::warn!(%error, "standing is not known");
                let next = "it is asked again by itself; gatelodge-agent doctor looks at each step of the way";
                let problem = Problem { what: error.to_string(), next: next.into() };
                self.agent.board.update(|status| status.problem = Some(problem));
                Ok(None)
            }
        }
    }

    /// Takes a newer certificate for the same key into use.
    pub(super) fn install(&mut self, chain: &str) -> Result<(), RunError> {
        if chain == self.credentials.chain {
            return Ok(());
        }
        let leaf = match Leaf::for_key(chain, &self.key.thumbprint()?, Some(self.credentials.device)) {
            Ok(leaf) => leaf,
            Err(error) => {
                tracing::warn!(%error, "renewed certificate is not for this device");
                return Ok(());
            }
        };
        chain.clone_into(&mut self.credentials.chain);
        self.agent
            .state
            .hold(&Holding::Enrolled { key: self.key.clone(), credentials: Box::new(self.credentials.clone()) })?;
        self.certificate.swap(chain, &self.key)?;
        // With a clock far ahead the moment may be past already; the cloud gives no newer one at once.
        let moment = renewal::moment(&leaf, &self.agent.random);
        self.renew_at = moment.max(self.agent.clock.now() + renewal::PATIENCE);
        self.agent.board.update(|status| status.certificate_until = Some(leaf.not_after));
        tracing::info!(until = %leaf.not_after, "certificate is renewed");
        self.delivery.reconnect();
        Ok(())
    }

    /// Puts a message on its way; it is on disk when this returns.
    pub(super) fn add<T: serde::Serialize>(&mut self, kind: Up, body: T) -> Result<(), RunError> {
        let Agent { boot, outbox, .. } = &mut *self.agent;
        self.delivery.add(boot, outbox, kind, body).map_err(RunError::Outbox)?;
        self.count_waiting();
        Ok(())
    }

    /// Puts messages on their way by one sync; they are on disk when this returns.
    pub(super) fn add_all<T: serde::Serialize>(
        &mut self,
        kind: Up,
        bodies: impl IntoIterator<Item = T>,
    ) -> Result<(), RunError> {
        let Agent { boot, outbox, .. } = &mut *self.agent;
        self.delivery.add_all(boot, outbox, kind, bodies).map_err(RunError::Outbox)?;
        self.count_waiting();
        Ok(())
    }

    /// Tells the cloud what happened.
    pub(super) fn happened(&mut self, what: Happening) -> Result<(), RunError> {
        let at = self.agent.clock.now();
        self.agent.audit.told(at, [what.clone()]).map_err(RunError::Audit)?;
        let event = Event { at, what };
        self.add(Up::Event, event)
    }

    /// The ownership epoch, from whichever source knows more.
    pub(super) fn epoch(&self) -> u64 {
        self.registration.state().map_or(0, |state| state.epoch).max(self.credentials.epoch)
    }

    pub(super) fn count_waiting(&self) {
        let waiting = self.agent.outbox.len();
        self.agent.board.update(|status| status.waiting_messages = waiting);
    }

    pub(super) fn show_code(&self, now: Instant) {
        let until = |shown: crate::enrol::ShownCode| self.agent.clock.now() + shown.remaining(now.into_std());
        let shown =
            self.codes.shown().map(|shown| OnSiteCodeShown { code: shown.code.reveal(), valid_until: until(shown) });
        let known = self.agent.board.status().on_site_code;
        if known.map(|code| code.code) != shown.as_ref().map(|code| code.code.clone()) {
            self.agent.board.update(|status| status.on_site_code = shown);
        }
    }

    async fn leave(&mut self, left: Left) -> Result<(), RunError> {
        let reason = match left {
            // Sessions go on without an agent for a while, and the next one takes them over.
            Left::Stopped => None,
            Left::Unknown => Some(payload::EndReason::Device),
            Left::Released | Left::Retired => Some(payload::EndReason::Revoked),
        };
        if let Some(reason) = reason {
            self.sessions.stop_all(reason);
            while !self.sessions.is_empty() {
                match tokio::time::timeout(SESSIONS_END_WITHIN, self.sessions.next()).await {
                    Ok(news) => self.session_news(news)?,
                    Err(_) => break,
                }
            }
        }
        match left {
            Left::Stopped => self.delivery.farewell(&self.agent.outbox).await,
            Left::Released | Left::Retired | Left::Unknown => {}
        }
        self.delivery.close().await;
        self.offline("the agent is not connecting");
        Ok(())
    }
}

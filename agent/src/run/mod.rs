//! The running agent: one enrolment after the other, and within each the link, reports, commands and sessions.

mod code;
mod commands;
mod connected;
mod consent;
mod hour;
mod inbox;
mod renewal;
mod report;
mod sessions;
mod standing;

pub use commands::{Ledger, Verdict, judge};

use std::{io, net::SocketAddr};

use gatelodge_proto::{
    Random, SessionId,
    consent::{Challenge, PinId},
    enrol::Credentials,
    link::Pace,
};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    audit::Audit,
    clock::Clock,
    cloud::{CloudClient, CloudError, TrustError},
    config::Config,
    consent::Keeper,
    enrol::{self, Outcome, Surroundings},
    identity::{self, Identity, IdentityError},
    local_page::{self, PageError},
    outbox::Outbox,
    recordings,
    state::{Boot, CertificateError, Holding, KeyError, PrivateKey, StateDir, StateError},
    status::{Board, Stage},
};

/// The agent cannot run, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It does not know who it is.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Its state folder.
    #[error(transparent)]
    State(#[from] StateError),
    /// Its outbox.
    #[error("the outbox in the state folder cannot be used: {0}")]
    Outbox(#[source] io::Error),
    /// Its record of who was let in.
    #[error("the record of sessions in the state folder cannot be written: {0}")]
    Audit(#[source] io::Error),
    /// The sockets of its sessions.
    #[error("the folder of live sessions in the state folder cannot be used: {0}")]
    Sessions(#[source] io::Error),
    /// Its TLS settings, or the address of its cloud.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// Its own page.
    #[error(transparent)]
    Page(#[from] PageError),
    /// Its key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Its certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Its TLS settings.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The device endpoint that the cloud named.
    #[error(transparent)]
    Endpoint(#[from] gatelodge_proto::link::InvalidEndpoint),
}

impl RunError {
    /// What to do about it.
    pub fn next_step(&self) -> String {
        match self {
            Self::Identity(error) => error.next_step(),
            Self::State(error) => error.next_step(),
            Self::Outbox(_) | Self::Audit(_) | Self::Sessions(_) => "check owner and space of the state folder".into(),
            Self::Cloud(CloudError::Trust(TrustError::CaFile { .. })) | Self::Trust(TrustError::CaFile { .. }) => {
                "set cloud.ca_file to the CA file of this cloud, or take the line out where its CA is a public one"
                    .into()
            }
            Self::Cloud(_) | Self::Trust(_) => "gatelodge-agent doctor looks at each step of the way".into(),
            Self::Page(error) => error.next_step().into(),
            Self::Key(_) | Self::Certificate(_) | Self::Endpoint(_) => {
                "gatelodge-agent reset makes a new key and enrols anew".into()
            }
        }
    }
}

/// What somebody at the device asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageOrder {
    /// End this session.
    StopSession(SessionId),
    /// Answer the request with this draft.
    Answer {
        /// What was shown.
        draft: Challenge,
        /// Whether it is allowed.
        allowed: bool,
    },
    /// Pin the offered key.
    ConfirmKey {
        /// What was compared.
        fingerprint: String,
    },
    /// Do not pin the offered key.
    DeclineKey {
        /// What was shown.
        fingerprint: String,
    },
    /// Take the pinned key away.
    ForgetKey {
        /// Which pinning.
        pin: PinId,
    },
    /// Take the standing rules back.
    TakeRulesBack,
}

/// Why an enrolment's time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// The program stops.
    Stopped,
    /// The owner gave the device back, or the key is over.
    Released,
    /// Retired for good.
    Retired,
    /// The cloud knows no certificate of this key that is good now; owner and key stay, and enrolling tells more.
    Unknown,
}

/// Everything that outlives one enrolment.
struct Agent {
    config: Config,
    identity: Identity,
    state: StateDir,
    boot: Boot,
    outbox: Outbox,
    audit: Audit,
    /// The customer's key; it outlives every enrolment.
    keeper: Keeper,
    /// Where the local page listens.
    page: SocketAddr,
    cloud: CloudClient,
    board: Board,
    clock: Clock,
    random: Random,
    stop: CancellationToken,
}

/// Runs until `stop`. `ready` is called once, when the page is up and the state is sound.
pub async fn run(
    config: Config,
    clock: Clock,
    random: Random,
    stop: CancellationToken,
    ready: impl FnOnce(),
) -> Result<(), RunError> {
    let identity = identity::read(&config.identity)?;
    let state = StateDir::open(&config.state_dir)?;
    let boot = state.count_boot(&random)?;
    let outbox = Outbox::open(state.path()).map_err(RunError::Outbox)?;
    let audit = Audit::open(state.path()).map_err(RunError::Audit)?;
    let keeper = Keeper::new(state.pin()?, state.book()?);
    let cloud = CloudClient::new(&config.cloud, &clock)?;
    let mut beside = JoinSet::new();
    beside.spawn(hour::keep(cloud.clone(), clock.clone(), state.path().to_owned()));
    beside.spawn(recordings::send(cloud.clone(), state.path().to_owned(), pace(&config), random.clone()));
    let board = Board::new(&identity, &config, clock.now());
    let (orders_sender, mut orders) = mpsc::channel(8);
    let terminals = config.terminal.user.clone().filter(|user| !user.is_empty());
    let page = &config.local_page;
    let served = local_page::serve(page, terminals, board.clone(), orders_sender, state.path(), &random).await?;
    tracing::info!(model = identity.model, serial_source = identity.serial_source.word(), "agent started");
    ready();
    let page = served.address;
    let mut agent =
        Agent { config, identity, state, boot, outbox, audit, keeper, page, cloud, board, clock, random, stop };
    agent.show_consent();
    loop {
        match agent.one_enrolment(&mut orders).await? {
            Left::Stopped => return Ok(()),
            Left::Released => agent.forget_owner()?,
            Left::Unknown => agent.enrol_again()?,
            Left::Retired => {
                agent.state.hold(&Holding::Retired)?;
                agent.outbox.clear().map_err(RunError::Outbox)?;
            }
        }
    }
}

fn pace(config: &Config) -> Pace {
    let first = config.link.first_retry();
    Pace { first, cap: Pace::default().cap.max(first), ..Pace::default() }
}

impl Agent {
    async fn one_enrolment(&mut self, orders: &mut mpsc::Receiver<PageOrder>) -> Result<Left, RunError> {
        let (key, credentials) = match self.state.holding()? {
            Some(Holding::Retired) => {
                self.board.update(|status| {
                    status.stage = Stage::Retired;
                    status.on_site_code = None;
                    status.problem = None;
                });
                tracing::warn!("this device is retired and does not connect any more");
                self.stop.cancelled().await;
                return Ok(Left::Stopped);
            }
            Some(Holding::Enrolled { key, credentials }) => (key, credentials),
            Some(Holding::Key { key }) => match self.enrol(&key, orders).await? {
                Ok(credentials) => (key, credentials),
                Err(left) => return Ok(left),
            },
            None => {
                let key = PrivateKey::make()?;
                // Kept before the first question: after a restart the cloud must meet the same key.
                self.state.hold(&Holding::Key { key: key.clone() })?;
                match self.enrol(&key, orders).await? {
                    Ok(credentials) => (key, credentials),
                    Err(left) => return Ok(left),
                }
            }
        };
        connected::Connected::start(self, key, *credentials)?.run(orders).await
    }

    /// Credentials, or why there will be none for this key.
    async fn enrol(
        &mut self,
        key: &PrivateKey,
        orders: &mut mpsc::Receiver<PageOrder>,
    ) -> Result<Result<Box<Credentials>, Left>, RunError> {
        self.board.update(|status| status.stage = Stage::Enrolling { wait: None });
        let outcome = loop {
            let around = Surroundings {
                cloud: &self.cloud,
                identity: &self.identity,
                method: self.config.enrolment.method,
                pace: pace(&self.config),
                board: &self.board,
                clock: &self.clock,
                random: &self.random,
            };
            let order = tokio::select! {
                outcome = enrol::enrol(around, key) => break outcome?,
                () = self.stop.cancelled() => return Ok(Err(Left::Stopped)),
                Some(order) = orders.recv() => order,
            };
            // Enrolling begins anew, with another code to show, which nobody minds who stands at the device.
            self.asked_alone(&order)?;
        };
        let credentials = match outcome {
            Outcome::Enrolled(credentials) => credentials,
            Outcome::KeyOver => return Ok(Err(Left::Released)),
            Outcome::Retired => return Ok(Err(Left::Retired)),
        };
        self.state.hold(&Holding::Enrolled { key: key.clone(), credentials: credentials.clone() })?;
        tracing::info!(device = %credentials.device, epoch = credentials.epoch, "enrolled");
        Ok(Ok(credentials))
    }

    fn enrol_again(&self) -> Result<(), RunError> {
        tracing::warn!("cloud knows no good certificate: enrolling anew with the same key");
        match self.state.holding()? {
            Some(Holding::Enrolled { key, .. }) => Ok(self.state.hold(&Holding::Key { key })?),
            Some(Holding::Key { .. } | Holding::Retired) | None => Ok(()),
        }
    }

    /// The next owner must see nothing of this one. A cloud that says so may have opened the device before, so the record
    /// of that stays as long as the customer's key.
    fn forget_owner(&mut self) -> Result<(), RunError> {
        tracing::info!("released: forgetting the owner and enrolling anew");
        self.state.forget_owner()?;
        self.outbox.clear().map_err(RunError::Outbox)?;
        let key_stays = self.keeper.owner_left();
        self.keep_consent()?;
        if !key_stays {
            self.audit.forget(self.clock.now()).map_err(RunError::Audit)?;
        }
        self.board.update(|status| {
            status.registration = None;
            status.certificate_until = None;
            status.on_site_code = None;
            status.waiting_messages = 0;
            status.problem = None;
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests;

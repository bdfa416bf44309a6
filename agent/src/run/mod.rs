//! The running agent: one enrolment after the other, and within each the link, reports, commands and sessions.

mod code;
mod commands;
mod connected;
mod hour;
mod inbox;
mod renewal;
mod report;
mod sessions;
mod standing;

pub use commands::{Ledger, Verdict, judge};

use std::io;

use gatelodge_proto::{Random, SessionId, enrol::Credentials, link::Pace};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    cloud::{CloudClient, CloudError, TrustError},
    config::Config,
    enrol::{self, Outcome, Surroundings},
    identity::{self, Identity, IdentityError},
    local_page::{self, PageError},
    outbox::Outbox,
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
            Self::Outbox(_) | Self::Sessions(_) => "check owner and space of the state folder".into(),
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageOrder {
    /// End this session.
    StopSession(SessionId),
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
    let cloud = CloudClient::new(&config.cloud, &clock)?;
    let mut beside = JoinSet::new();
    beside.spawn(hour::keep(cloud.clone(), clock.clone(), state.path().to_owned()));
    let board = Board::new(&identity, &config, clock.now());
    let (orders_sender, mut orders) = mpsc::channel(8);
    let _page = local_page::serve(&config.local_page, board.clone(), orders_sender, &random).await?;
    tracing::info!(model = identity.model, serial_source = identity.serial_source.word(), "agent started");
    ready();
    let mut agent = Agent { config, identity, state, boot, outbox, cloud, board, clock, random, stop };
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
            Some(Holding::Key { key }) => match self.enrol(&key).await? {
                Ok(credentials) => (key, credentials),
                Err(left) => return Ok(left),
            },
            None => {
                let key = PrivateKey::make()?;
                // Kept before the first question: after a restart the cloud must meet the same key.
                self.state.hold(&Holding::Key { key: key.clone() })?;
                match self.enrol(&key).await? {
                    Ok(credentials) => (key, credentials),
                    Err(left) => return Ok(left),
                }
            }
        };
        connected::Connected::start(self, key, *credentials)?.run(orders).await
    }

    /// Credentials, or why there will be none for this key.
    async fn enrol(&self, key: &PrivateKey) -> Result<Result<Box<Credentials>, Left>, RunError> {
        self.board.update(|status| status.stage = Stage::Enrolling { wait: None });
        let around = Surroundings {
            cloud: &self.cloud,
            identity: &self.identity,
            method: self.config.enrolment.method,
            pace: self.pace(),
            board: &self.board,
            clock: &self.clock,
            random: &self.random,
        };
        let outcome = tokio::select! {
            outcome = enrol::enrol(around, key) => outcome?,
            () = self.stop.cancelled() => return Ok(Err(Left::Stopped)),
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

    fn pace(&self) -> Pace {
        let first = self.config.link.first_retry();
        Pace { first, cap: Pace::default().cap.max(first), ..Pace::default() }
    }

    fn enrol_again(&self) -> Result<(), RunError> {
        tracing::warn!("cloud knows no good certificate: enrolling anew with the same key");
        match self.state.holding()? {
            Some(Holding::Enrolled { key, .. }) => Ok(self.state.hold(&Holding::Key { key })?),
            Some(Holding::Key { .. } | Holding::Retired) | None => Ok(()),
        }
    }

    /// The next owner must see nothing of this one.
    fn forget_owner(&mut self) -> Result<(), RunError> {
        tracing::info!("released: forgetting the owner and enrolling anew");
        self.state.forget_owner()?;
        self.outbox.clear().map_err(RunError::Outbox)?;
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

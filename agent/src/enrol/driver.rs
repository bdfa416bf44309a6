//! Carries out what the machine decides: asks the cloud, shows the code, keeps the certificate.

use std::time::Duration;

use gatelodge_proto::{
    Random,
    enrol::{
        Answer, Credentials, KEY_OVER, NONCE_PATH, Nonce, PATH, Proof, RETIRED, Request, STANDING_PATH, Standing,
        StandingRequest, factory_answer,
    },
    identity::OnSiteCode,
    link::Pace,
};
use tokio::time::Instant;

use super::{Enrolment, Step};
use crate::{
    clock::Clock,
    cloud::{CloudClient, CloudError},
    config::Method,
    identity::Identity,
    state::{CertificateError, KeyError, Leaf, PrivateKey},
    status::{Board, OnSiteCodeShown, Problem, Stage},
};

/// What enrolling needs around it.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The way to the cloud.
    pub cloud: &'a CloudClient,
    /// Who the device is.
    pub identity: &'a Identity,
    /// How it proves itself.
    pub method: Method,
    /// How fast it retries.
    pub pace: Pace,
    /// Where people see the code.
    pub board: &'a Board,
    /// The time.
    pub clock: &'a Clock,
    /// Randomness.
    pub random: &'a Random,
}

/// How asking ended.
#[derive(Debug)]
pub enum Outcome {
    /// There is a certificate.
    Enrolled(Box<Credentials>),
    /// The cloud will never accept this key again.
    KeyOver,
    /// The device is retired for good.
    Retired,
}

/// One question failed; it is asked again.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Cloud(#[from] CloudError),
    #[error("the cloud's certificate for this device cannot be used: {0}")]
    Certificate(#[from] CertificateError),
    #[error("the cloud names no usable device endpoint: {0}")]
    Endpoint(#[from] gatelodge_proto::link::InvalidEndpoint),
}

/// Asks until the cloud has the last word on `key`. Whoever wants to stop drops the future, since every answer is
/// idempotent on the key.
pub async fn enrol(around: Surroundings<'_>, key: &PrivateKey) -> Result<Outcome, KeyError> {
    let (csr, thumbprint) = (key.request()?, key.thumbprint()?);
    let mut enrolment = Enrolment::new(around.method, around.pace);
    loop {
        let step = enrolment.next(Instant::now().into_std(), around.random);
        show(around, &enrolment);
        let outcome = match step {
            Step::Finished(credentials) => {
                around.board.update(|status| status.on_site_code = None);
                return Ok(Outcome::Enrolled(credentials));
            }
            Step::Pause(pause) => {
                tokio::time::sleep(pause).await;
                continue;
            }
            Step::FetchNonce => match around.cloud.post::<_, Nonce>(NONCE_PATH, &serde_json::json!({})).await {
                Ok(nonce) => {
                    enrolment.nonce(nonce.nonce);
                    continue;
                }
                Err(error) => Err(Failure::from(error)),
            },
            Step::AskWithNonce(nonce) => {
                ask(around, &csr, &thumbprint, factory_proof(around, nonce, &thumbprint)).await
            }
            Step::AskWithCode(code) => ask(around, &csr, &thumbprint, code_proof(code)).await,
        };
        let now = Instant::now().into_std();
        match outcome {
            Ok(answer) => {
                around.board.update(|status| status.problem = None);
                enrolment.answered(answer, now, around.random);
            }
            Err(Failure::Cloud(CloudError::Refused { code, .. })) if code == KEY_OVER => return Ok(Outcome::KeyOver),
            Err(Failure::Cloud(CloudError::Refused { code, .. })) if code == RETIRED => return Ok(Outcome::Retired),
            Err(failure) => {
                tracing::warn!(error = %failure, "enrolment question failed");
                let wish = retry_wish(&failure);
                around.board.update(|status| status.problem = Some(problem(&failure)));
                enrolment.failed(wish, now, around.random);
            }
        }
    }
}

/// Asks what the cloud thinks of a key whose certificate was refused.
pub async fn ask_standing(cloud: &CloudClient, key: &PrivateKey) -> Result<Standing, CloudError> {
    let csr = key.request().map_err(|error| CloudError::Answer(error.to_string()))?;
    cloud.post(STANDING_PATH, &StandingRequest { csr }).await
}

async fn ask(around: Surroundings<'_>, csr: &str, thumbprint: &[u8; 32], proof: Proof) -> Result<Answer, Failure> {
    let identity = around.identity;
    let request = Request {
        csr: csr.to_owned(),
        id_code: identity.id_code,
        mac: identity.mac,
        serial: identity.serial.clone(),
        model: identity.model.clone(),
        agent_version: env!("CARGO_PKG_VERSION").into(),
        proof,
    };
    let answer: Answer = around.cloud.post(PATH, &request).await?;
    if let Answer::Enrolled(credentials) = &answer {
        Leaf::for_key(&credentials.chain, thumbprint, Some(credentials.device))?;
        credentials.mqtt.parse::<gatelodge_proto::link::Endpoint>()?;
    }
    Ok(answer)
}

fn factory_proof(around: Surroundings<'_>, nonce: String, thumbprint: &[u8; 32]) -> Proof {
    // Without a secret the answer is simply wrong, and the cloud says so in its own words.
    let secret = around.identity.factory_secret.as_ref().map_or(&[0; 32], |secret| secret.bytes());
    let answer = crate::hex::lower(&factory_answer(secret, &nonce, thumbprint));
    Proof::FactorySecret { nonce, answer }
}

const fn code_proof(code: OnSiteCode) -> Proof {
    Proof::OnSiteCode { code }
}

fn show(around: Surroundings<'_>, enrolment: &Enrolment) {
    let shown = enrolment.code().map(|shown| OnSiteCodeShown {
        code: shown.code.reveal(),
        valid_until: around.clock.now() + shown.remaining(Instant::now().into_std()),
    });
    let stage = Stage::Enrolling { wait: enrolment.wait() };
    around.board.update(|status| {
        // The end is computed from two clocks and trembles; people see it move only when the code does.
        if status.on_site_code.as_ref().map(|old| &old.code) != shown.as_ref().map(|new| &new.code) {
            status.on_site_code = shown;
        }
        status.stage = stage;
    });
}

fn retry_wish(failure: &Failure) -> Option<Duration> {
    match failure {
        Failure::Cloud(error) => error.retry_after(),
        Failure::Certificate(_) | Failure::Endpoint(_) => None,
    }
}

fn problem(failure: &Failure) -> Problem {
    let next = match failure {
        Failure::Cloud(CloudError::Unreachable { .. }) => {
            "check the network and cloud.url; gatelodge-agent doctor looks at each step"
        }
        Failure::Cloud(CloudError::Trust(_)) => "check cloud.ca_file",
        Failure::Cloud(CloudError::Proxy(_)) => "correct or unset it for the agent's service",
        Failure::Cloud(CloudError::Refused { next: Some(next), .. }) => next,
        Failure::Cloud(CloudError::Refused { .. } | CloudError::Answer(_))
        | Failure::Certificate(_)
        | Failure::Endpoint(_) => {
            "it is asked again by itself; if this stays, tell the vendor what the first line says"
        }
    };
    Problem { what: failure.to_string(), next: next.into() }
}

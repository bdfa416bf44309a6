//! Asking the cloud what it thinks of the key, one question at a time, when the endpoint does not want it.

use std::{future, pin::Pin};

use gatelodge_proto::{enrol::Standing, link::Refusal};

use crate::{
    cloud::{CloudClient, CloudError},
    enrol,
    state::PrivateKey,
};

/// A broken way may hide a refusal that the endpoint did not put into words; after so many in a row it is asked.
const SUSPICIOUS: u32 = 5;

type Question = Pin<Box<dyn Future<Output = Result<Standing, CloudError>> + Send>>;

/// The question under way, if any.
#[derive(Default)]
pub(super) struct Inquiry {
    question: Option<Question>,
    failures: u32,
}

impl Inquiry {
    /// The endpoint said no.
    pub(super) fn refused(&mut self, refusal: &Refusal, cloud: &CloudClient, key: &PrivateKey) {
        match refusal {
            Refusal::NotAuthorized | Refusal::Certificate(_) | Refusal::Subscription(_) => self.ask(cloud, key),
            Refusal::Busy | Refusal::Other(_) => self.failed(cloud, key),
        }
    }

    /// The way to the endpoint did not hold.
    pub(super) fn failed(&mut self, cloud: &CloudClient, key: &PrivateKey) {
        self.failures += 1;
        if self.failures.is_multiple_of(SUSPICIOUS) {
            self.ask(cloud, key);
        }
    }

    /// The endpoint took us.
    pub(super) const fn connected(&mut self) {
        self.failures = 0;
    }

    /// The answer; never without a question.
    pub(super) async fn answer(&mut self) -> Result<Standing, CloudError> {
        match &mut self.question {
            Some(question) => {
                let answer = question.await;
                self.question = None;
                answer
            }
            None => future::pending().await,
        }
    }

    fn ask(&mut self, cloud: &CloudClient, key: &PrivateKey) {
        if self.question.is_none() {
            let (cloud, key) = (cloud.clone(), key.clone());
            self.question = Some(Box::pin(async move { enrol::ask_standing(&cloud, &key).await }));
        }
    }
}

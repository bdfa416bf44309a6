//! Somebody who asks all the time while something is broken, and counts the answers.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::ensure;
use reqwest::{StatusCode, header};
use tokio::task::JoinHandle;

use crate::{
    cloud::TestCloud,
    wait::{measure_for, wait_until},
};

/// Between two questions.
const EVERY: Duration = Duration::from_millis(50);

/// What was answered.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// The change was made, or refused for a reason that had to be looked up.
    pub answered: u32,
    /// 503 with a time to come back.
    pub put_off: u32,
    /// Anything else, in words.
    pub wrong: Vec<String>,
}

/// Questions under way.
#[derive(Debug)]
pub struct Load {
    tally: Arc<Mutex<Tally>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Tally {
    fn count(&mut self, answer: reqwest::Result<reqwest::Response>) {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return self.wrong.push(format!("{error:#}")),
        };
        let (status, headers) = (answer.status(), answer.headers());
        if status.is_success() || status == StatusCode::TOO_MANY_REQUESTS {
            // Whoever asks so often is told to slow down, which took a look into the database, too.
            self.answered += 1;
        } else if status == StatusCode::SERVICE_UNAVAILABLE && headers.contains_key(header::RETRY_AFTER) {
            self.put_off += 1;
        } else {
            self.wrong.push(format!("{status} {headers:?}"));
        }
    }
}

impl Load {
    /// Asks for something that writes, on several connections.
    pub fn start(cloud: &TestCloud) -> Self {
        let tally = Arc::<Mutex<Tally>>::default();
        let address = format!("{}/enrol/v1/nonce", cloud.portal());
        let tasks = (0..3).map(|_| tokio::spawn(ask(address.clone(), Arc::clone(&tally)))).collect();
        Self { tally, tasks }
    }

    /// What was answered so far.
    pub fn tally(&self) -> Tally {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for one more answer that is none of trouble.
    pub async fn is_answered(&self, within: Duration) -> anyhow::Result<()> {
        let before = self.tally().answered;
        wait_until("the cloud answers again", within, async || Ok((self.tally().answered > before).then_some(()))).await
    }

    /// Refuses any answer that was neither good nor put off.
    pub fn check(&self) -> anyhow::Result<()> {
        let wrong = self.tally().wrong;
        ensure!(wrong.is_empty(), "{} wrong answers, the first: {}", wrong.len(), wrong[0]);
        Ok(())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn ask(address: String, tally: Arc<Mutex<Tally>>) {
    let client = reqwest::Client::new();
    loop {
        let answer = client.post(&address).json(&serde_json::json!({})).send().await;
        tally.lock().unwrap_or_else(PoisonError::into_inner).count(answer);
        measure_for(EVERY).await;
    }
}

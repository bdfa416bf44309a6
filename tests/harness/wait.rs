//! Waiting for something to become true, with a deadline and a sentence. The only place of the tests that sleeps.

use std::{
    fmt::Display,
    time::{Duration, Instant},
};

use anyhow::bail;

/// How often a condition is asked again.
const EVERY: Duration = Duration::from_millis(25);

/// Asks `ready` until it gives something, and gives that; after `within`, refuses with `what` was waited for and the
/// last answer.
///
/// `ready` answers `Ok(Some(..))` when it is so, `Ok(None)` when not yet, and `Err` for a trouble that may pass.
pub async fn wait_until<T>(
    what: impl Display,
    within: Duration,
    mut ready: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let began = Instant::now();
    loop {
        let last = match ready().await {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        if began.elapsed() >= within {
            match last {
                Some(error) => return Err(error.context(format!("waited {within:?} in vain until {what}"))),
                None => bail!("waited {within:?} in vain until {what}"),
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Lets time pass while something is measured; tests wait for something instead.
pub async fn measure_for(span: Duration) {
    tokio::time::sleep(span).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn gives_what_became_true() {
        let mut asked = 0;
        let got = wait_until("it was asked three times", Duration::from_secs(60), async || {
            asked += 1;
            Ok((asked == 3).then_some("so"))
        });
        assert_eq!(got.await.unwrap(), "so");
    }

    #[tokio::test]
    async fn tells_what_never_became_true_and_the_last_trouble() {
        let never = wait_until::<()>("pigs fly", Duration::ZERO, async || bail!("no wings")).await;
        assert_eq!(format!("{:#}", never.unwrap_err()), "waited 0ns in vain until pigs fly: no wings");
    }
}

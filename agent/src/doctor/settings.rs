//! Are the settings readable and complete?

use std::path::Path;

use super::Finding;
use crate::config::{self, Config};

const NAME: &str = "settings";

pub(super) fn check(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
) -> (Finding, Option<Config>) {
    match config::read(file, environment) {
        Ok(config) => {
            let from = file.map_or_else(|| "the environment".into(), |file| file.display().to_string());
            (Finding::good(NAME, format!("read from {from}")), Some(config))
        }
        Err(error) => (Finding::bad(NAME, error.to_string(), config::NEXT_STEP), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn a_missing_cloud_is_found_and_the_rest_is_not_tried() {
        let (finding, config) = check(None, std::iter::empty());
        assert!(matches!(finding.verdict, Verdict::Bad { .. }) && finding.found.contains("cloud.url is not set"));
        assert!(config.is_none());
    }
}

//! `--check`: the story without a person.

use std::time::Instant;

use gatelodge_tests::story::{self, Stage};

use crate::output;

pub(crate) async fn run(mut stage: Stage) -> anyhow::Result<()> {
    let began = Instant::now();
    output::say(&format!("portal {}\n", stage.cloud.portal()));
    story::play(&mut stage, |done| {
        output::say(&format!("{} {:6.2} s  {}", done.number, done.took.as_secs_f64(), done.title));
    })
    .await?;
    output::say(&format!("\nThe main job works from end to end, in {:.1} s.", began.elapsed().as_secs_f64()));
    Ok(())
}

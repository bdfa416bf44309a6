//! A gigabyte each way, every byte compared, and the cloud's memory stays what it was.

use anyhow::{Context as _, ensure};
use axum::body::Body;
use gatelodge_tests::awkward::{self, Compared};
use http::{Request, StatusCode};

use super::{Answer, Site, next_bytes};

const GIGABYTE: usize = 1_000_000_000;
/// What buffers, caches and a debug build may add; a body that was gathered would add a thousand.
const MOST_MIB: u64 = 150;

pub(super) fn resident_mib(process: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024)
}

#[tokio::test]
async fn a_gigabyte_passes_each_way_in_bounded_memory() -> anyhow::Result<()> {
    let mut site = Site::open(67).await?;
    let (tab, _) = site.tab("awkward-web").await?;
    assert_eq!(tab.get("/second").await?.status, StatusCode::OK);
    let process = site.stage.cloud.id().context("the cloud runs")?;
    let before = resident_mib(process)?;

    let request = Request::get(format!("/download/{GIGABYTE}")).body(Body::empty())?;
    let answer = tab.send(request).await?;
    ensure!(answer.headers()["content-length"] == GIGABYTE.to_string().as_str());
    let (mut body, mut compared) = (Body::new(answer.into_body()).into_data_stream(), Compared::default());
    while let Some(bytes) = next_bytes(&mut body).await? {
        compared.take(&bytes);
    }
    ensure!(compared.right == GIGABYTE && !compared.wrong, "{compared:?}");

    let request = Request::post("/upload").header("content-length", GIGABYTE).header("origin", tab.origin());
    let answer = tab.send(request.body(awkward::bulk(GIGABYTE))?).await?;
    assert_eq!(Answer::of(answer).await?.text, format!("{GIGABYTE} bytes, right"));

    // The highest it has ever been.
    let after = resident_mib(process)?;
    ensure!(after < before + MOST_MIB, "the cloud grew from {before} to {after} MiB");
    Ok(())
}

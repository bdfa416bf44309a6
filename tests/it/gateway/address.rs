//! A web page of a neighbour, at an address that the technician types: the device and the neighbour in namespaces of their
//! own.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use axum::{Router, response::Html, routing::get};
use gatelodge_tests::{
    agent::AgentSetup,
    awkward::Awkward,
    cloud::{CloudSetup, TestCloud},
    place::{self, Place},
    portal::Hands,
    story::{self, Mails, Stage},
    wait::wait_until,
};
use http::StatusCode;
use tokio::task::JoinSet;

use super::Site;

const NEIGHBOUR: &str = "192.168.1.50:8081";

struct Scene {
    site: Site,
    _neighbour: Place,
    _tasks: JoinSet<()>,
}

impl Scene {
    async fn set() -> anyhow::Result<Option<Self>> {
        if !place::can_be_had("the web page of a neighbour")? {
            return Ok(None);
        }
        let cloud = TestCloud::start(CloudSetup::default()).await?;
        let (device, neighbour) = (Arc::new(Place::make("device")?), Place::make("neighbour")?);
        device.join(("eth0", "192.168.1.2/24"), &neighbour, ("eth0", "192.168.1.50/24"))?;
        device.reaches(&cloud)?;
        let listener = neighbour.listen(NEIGHBOUR.parse::<SocketAddr>()?)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let page = format!("<h1>Neighbour</h1><a href=\"http://{NEIGHBOUR}/next\">next</a>");
            let _ = axum::serve(listener, Router::new().route("/", get(async || Html(page)))).await;
        });
        let agent = AgentSetup {
            factory: "mac = \"02:42:AC:11:00:0E\"\nserial = \"SN-ADDRESS-1\"\n".to_owned(),
            networks: vec![("lan".into(), "192.168.1.0/24".into())],
            place: Some(device.clone()),
            ..AgentSetup::default()
        };
        let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
        let folder = tempfile::tempdir()?;
        let mut stage = Stage::set(cloud, mails, folder.path().to_owned(), agent).await?;
        let page = stage.agent.page().rsplit(':').next().and_then(|port| port.parse().ok());
        device.shows(page.context("the device's page has no port")?).await?;
        story::play_until(&mut stage, 4, |_| {}).await?;
        let device = stage.agent_status().await?.device().context("the device is enrolled")?.to_owned();
        let site = Site { stage, panel: Awkward::start(72).await?, device, _folder: folder };
        Ok(Some(Self { site, _neighbour: neighbour, _tasks: tasks }))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_neighbours_page_opens_by_its_address_within_the_devices_networks() -> anyhow::Result<()> {
    let Some(Scene { mut site, _neighbour, _tasks }) = Scene::set().await? else { return Ok(()) };
    for (typed, said) in [
        ("10.9.9.9:80", "in none of the networks"),
        ("127.0.0.1:80", "in none of the networks"),
        ("panel.local:80", "That is no address"),
    ] {
        site.ask_by("address", typed).await?;
        site.stage.installer.reads(said).await.with_context(|| typed.to_owned())?;
    }
    site.stage.customer.open("/requests").await?;
    ensure!(!site.stage.customer.actions().await?.iter().any(|action| action.ends_with("/allow")), "it was asked for");

    site.ask_by("address", NEIGHBOUR).await?;
    let path = site.stage.installer.path().await?;
    let session = path.strip_prefix("/web-pages/").with_context(|| format!("asking led to {path}"))?.to_owned();
    site.stage.installer.reads(&format!("Web page {NEIGHBOUR}")).await?;
    site.stage.customer.open("/requests").await?;
    site.stage.customer.reads("The whole network 192.168.1.0/24 is asked for").await?;
    site.stage.customer.reads("By a browser: what passes goes through the portal").await?;
    let allowed = story::allow(&mut site.stage).await?;
    ensure!(allowed == session, "{allowed} was allowed, {session} asked for");

    let (address, ticket) = site.ticket(&session).await?;
    let mut tab = site.outside(&address)?;
    tab.enter(&ticket, &site.stage.cloud.portal()).await?;
    let page = tab.get("/").await?;
    assert_eq!(page.status, StatusCode::OK);
    ensure!(page.text.contains("Neighbour") && page.text.contains(&format!("{}/next", tab.origin())), "{}", page.text);
    site.stage.customer.submit(&format!("/sessions/{session}/stop"), &[]).await.or_else(|_| anyhow::Ok(()))?;
    wait_until("the history names where it was", Duration::from_secs(90), async || {
        Ok(site.stage.customer.file("/history.csv").await?.contains(&format!("tcp {NEIGHBOUR}")).then_some(()))
    })
    .await
}

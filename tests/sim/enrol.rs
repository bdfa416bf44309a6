//! `enrol`: each device makes its key and asks for its certificate, as the agent does.

use std::{
    net::IpAddr,
    num::{NonZeroU16, NonZeroU32},
    path::Path,
    sync::Arc,
    time::Instant,
};

use anyhow::{Context as _, bail, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use gatelodge_agent::{
    clock::Clock,
    cloud::CloudClient,
    config::{self, Config, Method},
    enrol::{self, Outcome, Surroundings},
    identity::Identity,
    state::{Holding, PrivateKey, StateDir},
    status::Board,
};
use gatelodge_proto::{Random, link::Pace};
use serde_json::json;
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    arguments::Enrol,
    fleet::{self, Fleet},
    numbers::rate,
    output,
};

/// What the enrolments share.
struct Desk {
    settings: Config,
    turns: Semaphore,
}

pub(crate) async fn run(folder: &Path, plan: &Enrol, as_json: bool) -> anyhow::Result<()> {
    let seed = fleet::seed(plan.bounds.seed);
    let mut fleet = Fleet::open(folder)?;
    fleet.trust(plan.ca_file.as_deref())?;
    let key = std::fs::read_to_string(&plan.batch_key)
        .with_context(|| format!("cannot read the batch key {}", plan.batch_key.display()))?;
    let key = BASE64.decode(key.trim()).context("the batch key is not base64")?;
    ensure!(plan.from.is_empty() || plan.from.len() <= plan.share.len(), "more addresses than devices");
    let desk = Arc::new(Desk { settings: settings(plan, fleet.ca_file()), turns: Semaphore::new(plan.abreast.max(1)) });

    let mut asking = JoinSet::new();
    let began = Instant::now();
    for number in plan.share.range() {
        let identity = fleet::with_secret(fleet.identity(number), &key)?;
        let from = plan.from.get(number % plan.from.len().max(1)).copied();
        let (desk, folder) = (Arc::clone(&desk), fleet.state_dir(number));
        let random = fleet::stream(seed, number, "enrolment");
        asking.spawn(async move {
            let asked = one(&desk, &folder, &identity, from, &random).await;
            asked.with_context(|| format!("device {number} is not enrolled"))
        });
    }
    let (mut enrolled, mut told_at) = (0, began);
    let all = async {
        while let Some(one) = asking.join_next().await {
            enrolled += usize::from(one.context("a device broke down")??);
            if told_at.elapsed().as_secs() >= 1 {
                told_at = Instant::now();
                output::progress(&format!("{enrolled} of {} enrolled", plan.share.len()));
            }
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(plan.bounds.patience(), all).await.with_context(|| {
        format!("the enrolments take longer than {:?}; what is enrolled stays so", plan.bounds.patience())
    })??;
    let took = began.elapsed();
    let told = json!({
        "enrolled": enrolled, "there_already": plan.share.len() - enrolled, "seed": seed,
        "seconds": took.as_secs_f64(), "enrolments_per_s": rate(enrolled, took),
    });
    let text = format!(
        "{enrolled} devices enrolled in {:.1} s, {} a second; {} were so already.",
        took.as_secs_f64(),
        rate(enrolled, took),
        plan.share.len() - enrolled
    );
    output::outcome(as_json, &told, &text);
    Ok(())
}

/// Whether it had to be enrolled.
async fn one(
    desk: &Desk,
    folder: &Path,
    identity: &Identity,
    from: Option<IpAddr>,
    random: &Random,
) -> anyhow::Result<bool> {
    let _turn = desk.turns.acquire().await?;
    let state = StateDir::open(folder)?;
    let key = match state.holding()? {
        Some(Holding::Enrolled { .. }) => return Ok(false),
        Some(Holding::Retired) => bail!("it is retired"),
        Some(Holding::Key { key }) => key,
        None => {
            let key = PrivateKey::make()?;
            state.hold(&Holding::Key { key: key.clone() })?;
            key
        }
    };
    let clock = Clock::system();
    let board = Board::new(identity, &desk.settings, clock.now());
    let cloud = CloudClient::from_address(&desk.settings.cloud, &clock, from)?;
    let around = Surroundings {
        cloud: &cloud,
        identity,
        method: Method::FactorySecret,
        pace: Pace::default(),
        board: &board,
        clock: &clock,
        random,
    };
    match enrol::enrol(around, &key).await? {
        Outcome::Enrolled(credentials) => state.hold(&Holding::Enrolled { key, credentials })?,
        Outcome::KeyOver => bail!("the cloud does not take its key any more"),
        Outcome::Retired => bail!("it is retired"),
    }
    Ok(true)
}

/// What an agent with a factory secret and nothing else would be set to.
fn settings(plan: &Enrol, ca_file: Option<&Path>) -> Config {
    Config {
        state_dir: std::path::PathBuf::new(),
        cloud: config::Cloud {
            url: plan.cloud.clone(),
            ca_file: ca_file.map(Path::to_owned),
            relay_url: None,
            proxy: None,
        },
        identity: config::Identity {
            factory_file: None,
            factory_command: Vec::new(),
            mac_address: None,
            root: "/".into(),
        },
        enrolment: config::Enrolment { method: Method::FactorySecret },
        local_page: config::LocalPage { listen: ([127, 0, 0, 1], 0).into(), lan: false },
        link: config::Link { first_retry_ms: 30_000 },
        report: config::Report { interval_s: 86_400 },
        remote_access: config::RemoteAccess {
            enabled: false,
            streams: NonZeroU16::MIN,
            opens_per_second: NonZeroU32::MIN,
            max_minutes: NonZeroU32::MIN,
            rate: None,
        },
        services: Vec::new(),
        networks: Vec::new(),
        listens: Vec::new(),
        folders: Vec::new(),
        terminal: off(),
        discovery: config::Discovery { enabled: false, ports: Vec::new() },
        web: config::Web { enabled: false },
    }
}

/// Simulated devices have no terminal.
fn off() -> config::Terminal {
    let one = NonZeroU32::MIN;
    config::Terminal {
        enabled: false,
        user: None,
        shell: None,
        command: Vec::new(),
        record_input: false,
        max_recording: one,
        max_waiting: one,
    }
}

//! Who is in the story and what stands around them.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::Context as _;
use gatelodge_proto::{
    Random,
    identity::{IdCode, MacAddress, SerialNumber},
};
use serde_json::Value;

use super::Mails;
use crate::{
    agent::{AgentSetup, TestAgent},
    browser::Setup,
    cloud::TestCloud,
    panel::Panel,
    portal::Hands,
    technician::TestTechnician,
    wait::wait_until,
};

/// Somebody with a login.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    /// Their name.
    pub name: &'static str,
    /// Their address.
    pub email: &'static str,
    /// Their password, once they have one.
    pub password: &'static str,
}

/// An installer's company.
#[derive(Debug, Clone, Copy)]
pub struct Company {
    /// What it is called.
    pub name: &'static str,
    /// Its first person, who is also its technician here.
    pub person: Person,
}

/// The vendor's administrator.
pub const VENDOR: Person =
    Person { name: "Vera Novak", email: "vera@vendor.example", password: "lodge orchard lantern 41" };
/// The installer.
pub const INSTALLER: Company = Company {
    name: "Petit Alarmes",
    person: Person { name: "Paul Petit", email: "paul@installer.example", password: "ladder copper meadow 52" },
};
/// The customer.
pub const CUSTOMER: Person =
    Person { name: "Anna Rossi", email: "anna@customer.example", password: "window chestnut river 63" };
/// Who owns the device after the customer.
pub const NEXT_CUSTOMER: Person =
    Person { name: "Bruno Keller", email: "bruno@customer.example", password: "staircase violet harbour 74" };

/// The name under which the device's pages are reached.
pub const WEB_ADDRESS: &str = "villa-rosa";
/// The service behind the device that the technician reaches.
pub(super) const SERVICE: &str = "panel-web";

/// Everything the story needs, standing.
#[derive(Debug)]
pub struct Stage {
    /// The cloud.
    pub cloud: TestCloud,
    /// Where its mails are read.
    pub mails: Mails,
    /// The installation behind the device.
    pub panel: Panel,
    /// The device.
    pub agent: TestAgent,
    /// The technician's computer.
    pub technician: TestTechnician,
    /// The installer at the portal.
    pub installer: Hands,
    /// The customer at the portal, and later the next one on the same machine.
    pub customer: Hands,
    /// What is printed on the device.
    pub id_code: IdCode,
    /// Where inventory files are written.
    pub folder: PathBuf,
    /// Whether mails and pages are in English, so that words may be compared.
    pub english: bool,
}

/// The device as its agent knows it.
#[derive(Debug)]
pub struct Told(pub Value);

impl Stage {
    /// Sets the stage around a cloud: panel, agent (on this machine's own identity unless `more` says otherwise),
    /// technician, and installer and customer with plain hands.
    pub async fn set(cloud: TestCloud, mails: Mails, folder: PathBuf, agent: AgentSetup) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let panel = Panel::start(9).await?;
        let id_code = IdCode::make(&Random::system());
        let mut setup = agent.with_service(SERVICE, panel.web).with_service("panel-echo", panel.echo);
        setup.factory = format!("id_code = \"{id_code}\"\n{}", setup.factory);
        setup.folder.get_or_insert_with(|| folder.join("agent"));
        let agent = TestAgent::prepare(&cloud, setup)?;
        let technician = TestTechnician::beside(&cloud)?;
        let portal = cloud.portal();
        let (installer, customer) = (Hands::plain(&portal, "en")?, Hands::plain(&portal, "en")?);
        Ok(Self { cloud, mails, panel, agent, technician, installer, customer, id_code, folder, english: true })
    }

    /// Gives installer and customer real browsers; `false` when this machine has none.
    pub async fn with_browsers(&mut self, setup: Setup) -> anyhow::Result<bool> {
        let portal = self.cloud.portal();
        let Some(installer) = Hands::browser(&portal, setup).await? else { return Ok(false) };
        let Some(customer) = Hands::browser(&portal, setup).await? else { return Ok(false) };
        (self.installer, self.customer, self.english) = (installer, customer, setup.language == "en");
        Ok(true)
    }

    /// What the agent says of itself (`gatelodge-agent status --json`).
    pub async fn agent_status(&self) -> anyhow::Result<Told> {
        let said = self.agent.say(["status", "--json"]).await?.ok()?;
        Ok(Told(serde_json::from_str(&said).with_context(|| format!("the agent's status is unreadable:\n{said}"))?))
    }

    /// Waits until the agent says something in particular, and gives that.
    pub async fn agent_says<T>(&self, what: &str, mut ready: impl FnMut(&Told) -> Option<T>) -> anyhow::Result<T> {
        let mut last = String::new();
        let found = wait_until(format!("the agent {what}"), Duration::from_secs(60), async || {
            let told = self.agent_status().await?;
            last = told.0.to_string();
            Ok(ready(&told))
        })
        .await;
        found.with_context(|| {
            format!(
                "the agent's last status:\n{last}\nits log:\n{}\nthe cloud's log:\n{}",
                self.agent.log(),
                self.cloud.log()
            )
        })
    }

    /// The address of the panel's page, as the device sees it.
    pub fn panel_web(&self) -> SocketAddr {
        self.panel.web
    }
}

impl Told {
    /// The MAC and serial that the agent read.
    pub fn hardware(&self) -> Option<(MacAddress, SerialNumber)> {
        let identity = &self.0["identity"];
        Some((identity["mac"].as_str()?.parse().ok()?, identity["serial"].as_str()?.parse().ok()?))
    }

    /// The code to type in the portal, while it is shown.
    pub fn on_site_code(&self) -> Option<String> {
        self.0["on_site_code"]["code"].as_str().map(str::to_owned)
    }

    /// What the cloud said of the registration, like `active`.
    pub fn life(&self) -> Option<&str> {
        self.0["registration"]["life"].as_str()
    }

    /// The device id, once enrolled.
    pub fn device(&self) -> Option<&str> {
        self.0["device"].as_str()
    }

    /// Whether it is connected and everything it had to say was received.
    pub fn is_settled(&self) -> bool {
        self.0["link"]["state"] == "online" && self.0["waiting_messages"] == 0
    }
}

//! Without arguments: everything runs, a person plays.

use anyhow::Context as _;
use gatelodge_tests::{
    programs,
    story::{self, CUSTOMER, INSTALLER, Stage, VENDOR},
};

use crate::output;

pub(crate) async fn run(mut stage: Stage) -> anyhow::Result<()> {
    story::inventory(&mut stage).await?;
    story::report(&mut stage).await?;
    story::sign_up(&mut stage).await?;
    let told = stage.agent_status().await?;
    let (mac, serial) = told.hardware().context("the agent knows its hardware")?;
    let code = told.on_site_code().unwrap_or_default();
    let (portal, cloud, device) = (stage.cloud.portal(), stage.cloud.device_url(), stage.agent.page());
    let gatelodge = programs::program("gatelodge")?;
    let ca = stage.cloud.server_ca();
    output::say(&format!(
        "
Gatelodge runs on this machine. Everything is real; its data are in {folder}.

  portal       {portal}
  mailbox      {portal}/vendor/mailbox        every mail the cloud sends, for the vendor's login
  device       {device}                  its own page: code, state, consent, live session
  panel        http://{panel}                   what stands behind the device

  vendor       {vendor}     {vendor_password}
  installer    {installer}  {installer_password}
  customer     {customer}   has no password yet: the mail brings the link

  label        ID code {id_code}   MAC {mac}   serial {serial}
  shown now    on-site code {code}   (a new one every 15 minutes, on the device's page)

Play it:
  1 As the installer: Add device, with ID code, MAC and on-site code; web address villa-rosa; customer {customer}.
  2 In the mailbox: the customer's two mails. Set a password, then open the activation link and confirm.
  3 As the technician, in another terminal (sign in as the installer in the browser when it asks):
      export GATELODGE_CA_FILE={ca}
      {gatelodge} sign-in {cloud}
      {gatelodge} devices
      {gatelodge} forward villa-rosa 8090:panel-web
    As the customer: Requests, Allow. Then open http://localhost:8090 and see the panel. Press Stop, and see it end.
  4 As the customer: give the device back.

Ctrl-C ends everything.",
        folder = stage.folder.display(),
        panel = stage.panel_web(),
        vendor = VENDOR.email,
        vendor_password = VENDOR.password,
        installer = INSTALLER.person.email,
        installer_password = INSTALLER.person.password,
        customer = CUSTOMER.email,
        id_code = stage.id_code,
        ca = ca.display(),
        gatelodge = gatelodge.display(),
    ));
    tokio::signal::ctrl_c().await.context("Ctrl-C cannot be heard")?;
    stage.cloud.stop().await
}

//! Step 1: the vendor's administrator, a product, and the inventory from a file with good and bad rows.

use anyhow::{Context as _, ensure};
use gatelodge_proto::{Random, identity::IdCode};

use super::{Stage, VENDOR};
use crate::{cloud::TestCloud, settings::write_private};

/// What the product is called.
pub(super) const PRODUCT: &str = "AX-100";

/// Plays the step; the device's row follows in [`add_device`], once its agent has read MAC and serial.
pub async fn inventory(stage: &mut Stage) -> anyhow::Result<()> {
    prepare(&stage.cloud, &stage.folder).await?;
    stage.mails.open().await?;

    let good = IdCode::make(&Random::system());
    let bad = wrong_character(good);
    let rows = format!(
        "{HEADER}{good},02:42:AC:11:7F:01,SN-1,{PRODUCT},2026-03-01,on_site_code,\n\
         {bad},02:42:AC:11:7F:02,SN-2,{PRODUCT},2026-03-01,on_site_code,\n\
         {other},02:42:AC,SN-3,{PRODUCT},2026-03-01,on_site_code,\n\
         {good},02:42:AC:11:7F:04,SN-4,{PRODUCT},2026-03-01,on_site_code,\n\
         {other},02:42:AC:11:7F:05,SN-5,NONE-1,2026-03-01,on_site_code,\n",
        other = IdCode::make(&Random::system()),
    );
    let file = stage.folder.join("inventory.csv");
    std::fs::write(&file, rows).with_context(|| format!("cannot write {}", file.display()))?;
    let file = file.display().to_string();

    let dry = stage.cloud.run(["import", "devices", &file, "--dry-run"]).await?;
    ensure!(dry.code == Some(3), "the dry run ended with {:?}:\n{}{}", dry.code, dry.out, dry.err);
    for repeated in [false, true] {
        let said = stage.cloud.run(["import", "devices", &file]).await?;
        let words = format!("{}{}", said.out, said.err);
        ensure!(said.code == Some(3), "the import ended with {:?}:\n{words}", said.code);
        for line in 3..=6 {
            ensure!(words.contains(&format!("line {line}")), "line {line} is not named:\n{words}");
        }
        ensure!(words.contains("line 2"), "the duplicate does not name the line it repeats:\n{words}");
        let counted = if repeated { "0 added, 1 there already" } else { "1 added" };
        ensure!(words.contains(counted), "`{counted}` is not said:\n{words}");
    }
    Ok(())
}

pub(super) const HEADER: &str = "id_code,mac,serial,product,purchased_on,proof,batch\n";

/// The vendor's administrator, as an operator makes them.
pub async fn make_vendor(cloud: &TestCloud, folder: &std::path::Path) -> anyhow::Result<()> {
    let password = folder.join("vendor-password");
    write_private(&password, VENDOR.password)?;
    let file = password.display().to_string();
    let user = ["user", "add", "--vendor", VENDOR.email, "--name", VENDOR.name, "--password-file", &file];
    cloud.run(user).await?.ok().context("cannot add the vendor's administrator")?;
    std::fs::remove_file(&password).with_context(|| format!("cannot remove {file}"))
}

/// The vendor's administrator and the product, as an operator makes them.
pub(super) async fn prepare(cloud: &TestCloud, folder: &std::path::Path) -> anyhow::Result<()> {
    make_vendor(cloud, folder).await?;
    let product = ["product", "add", PRODUCT, "--name", "Alarm server AX 100", "--kind", "alarm server"];
    cloud.run(product).await?.ok().context("cannot add the product")?;
    Ok(())
}

/// Imports the row of the device on the stage.
pub(super) async fn add_device(stage: &Stage, mac: &str, serial: &str) -> anyhow::Result<()> {
    let row = format!("{HEADER}{},{mac},{serial},{PRODUCT},2026-03-01,on_site_code,\n", stage.id_code);
    let file = stage.folder.join("device.csv");
    std::fs::write(&file, row).with_context(|| format!("cannot write {}", file.display()))?;
    stage.cloud.run(["import", "devices", &file.display().to_string()]).await?.ok()?;
    Ok(())
}

/// The same code with one character off, which the check character must catch.
fn wrong_character(code: IdCode) -> String {
    let text = code.to_string();
    let (first, rest) = text.split_at(1);
    format!("{}{rest}", if first == "7" { "8" } else { "7" })
}

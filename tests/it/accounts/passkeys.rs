//! Passkeys and codes through a real browser, with an authenticator inside it: set up, signed in with, asked for as the
//! second step, lost and removed; on a phone in English and at a desk in French.

use gatelodge_tests::{
    browser::{Authenticator, Screen, Setup, Theme},
    cloud::{CloudSetup, TestCloud},
    portal::Hands,
    story::{self, VENDOR},
};

async fn factors(setup: Setup) -> anyhow::Result<()> {
    let cloud = TestCloud::start(CloudSetup::default()).await?;
    let Some(mut hands) = Hands::browser(&cloud.portal(), setup).await? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    story::make_vendor(&cloud, folder.path()).await?;
    let (en, page) = (setup.language == "en", "/my-data/second-factor");
    let say = |english: &'static str, french: &'static str| if en { english } else { french };
    let Hands::Browser(browser, _) = &hands else { return Ok(()) };
    let authenticator = Authenticator::of(browser).await?;

    hands.open("/sign-in").await?;
    hands.look("sign_in_passkey").await?;
    hands.submit("/sign-in", &[("email", VENDOR.email), ("password", VENDOR.password)]).await?;
    hands.open(page).await?;
    hands.look("second_factor_none").await?;
    press(&hands, "/my-data/second-factor/passkeys", &[("name", "Blue key")]).await?;
    words(&hands, say("Keep these recovery codes", "Gardez ces codes de secours")).await?;
    hands.look("recovery_codes").await?;
    let Hands::Browser(browser, _) = &hands else { return Ok(()) };
    assert_eq!(authenticator.passkeys(browser).await?.len(), 1);
    let recovery = browser.client.find(css(".codes .code")).await?.text().await?;
    hands.open(page).await?;
    hands.reads("Blue key").await?;
    hands.look("second_factor").await?;

    // The app: its key is typed, and the code of this moment shows that it has it.
    hands.submit("/my-data/second-factor/app", &[]).await?;
    hands.look("add_app").await?;
    hands.submit("/my-data/second-factor/app/confirm", &[("code", "000000")]).await?;
    hands.reads(say("This code does not fit", "Ce code ne convient pas")).await?;

    // Out, and in again by the passkey alone.
    story::sign_out(&mut hands).await?;
    hands.open("/sign-in?next=/my-data").await?;
    press(&hands, "/sign-in/passkey", &[]).await?;
    words(&hands, VENDOR.email).await?;
    assert_eq!(hands.path().await?, "/my-data");

    // Out, and in by the password and the passkey as the second step.
    story::sign_out(&mut hands).await?;
    hands.open("/sign-in?next=/my-data").await?;
    hands.submit("/sign-in", &[("email", VENDOR.email), ("password", VENDOR.password)]).await?;
    assert_eq!(hands.path().await?, "/sign-in/second-step");
    hands.look("second_step").await?;
    hands.open("/my-data").await?;
    assert_eq!(hands.path().await?, "/sign-in", "half a sign-in opens nothing");
    hands.submit("/sign-in", &[("email", VENDOR.email), ("password", VENDOR.password)]).await?;
    press(&hands, "/sign-in/second-step/passkey", &[]).await?;
    words(&hands, VENDOR.email).await?;

    // An authenticator that does not know its user proves nothing; a recovery code does.
    story::sign_out(&mut hands).await?;
    let Hands::Browser(browser, _) = &hands else { return Ok(()) };
    authenticator.knows_its_user(browser, false).await?;
    hands.open("/sign-in?next=/my-data/second-factor").await?;
    press(&hands, "/sign-in/passkey", &[]).await?;
    words(&hands, say("That did not work", "Cela n’a pas marché")).await?;
    hands.submit("/sign-in", &[("email", VENDOR.email), ("password", VENDOR.password)]).await?;
    hands.submit("/sign-in/second-step", &[("code", &recovery)]).await?;
    hands.reads("Blue key").await?;
    hands.reads(say("9 recovery codes are left", "Il reste 9 codes de secours")).await?;
    hands.open("/confirm?next=/my-data").await?;
    hands.look("confirm_self").await?;

    hands.open(page).await?;
    let action = remove(&hands).await?;
    hands.submit(&action, &[]).await?;
    hands.reads(say("Removed. A mail tells you so.", "Retiré. Un courriel vous le dit.")).await?;
    hands
        .wait_for(
            "/vendor/mailbox",
            "A second factor was removed from your account",
            std::time::Duration::from_secs(20),
        )
        .await
}

fn css(css: &str) -> gatelodge_tests::browser::fantoccini::Locator<'_> {
    gatelodge_tests::browser::fantoccini::Locator::Css(css)
}

/// Fills a form and presses its button; the script sends it later.
async fn press(hands: &Hands, action: &str, fields: &[(&str, &str)]) -> anyhow::Result<()> {
    let Hands::Browser(browser, _) = hands else { return Ok(()) };
    for (name, text) in fields {
        let field = browser.client.find(css(&format!("form[action='{action}'] [name='{name}']"))).await?;
        field.send_keys(text).await?;
    }
    browser.click(&format!("form[action='{action}'] button")).await
}

async fn words(hands: &Hands, words: &str) -> anyhow::Result<()> {
    let Hands::Browser(browser, _) = hands else { return Ok(()) };
    browser.wait_for_words(words).await
}

async fn remove(hands: &Hands) -> anyhow::Result<String> {
    let actions = hands.actions().await?;
    actions
        .into_iter()
        .find(|action| action.ends_with("/remove") && action.contains("/passkeys/"))
        .ok_or_else(|| anyhow::anyhow!("no passkey can be removed"))
}

#[tokio::test]
async fn passkeys_and_codes_on_a_phone_in_english() -> anyhow::Result<()> {
    factors(Setup { screen: Screen::Phone, theme: Theme::Light, language: "en" }).await
}

#[tokio::test]
async fn passkeys_and_codes_at_a_desk_in_french_in_the_dark() -> anyhow::Result<()> {
    factors(Setup { screen: Screen::Desk, theme: Theme::Dark, language: "fr" }).await
}

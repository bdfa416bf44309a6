//! Where there is no wildcard name a page has a port, and cookies are kept apart all the same.

use gatelodge_tests::{
    cloud::{CloudSetup, TestCloud},
    portal::Hands,
    ports::free_port,
    story::Mails,
};
use http::{Method, StatusCode, header};

use super::Site;

#[tokio::test]
async fn a_port_is_a_page_with_cookies_of_its_own() -> anyhow::Result<()> {
    let port = free_port()?;
    let setup = CloudSetup::default().set("gateway.ports", &format!("\"{port}-{port}\""));
    let cloud = TestCloud::start(setup).await?;
    let mails = Mails::BuiltIn(Box::new(Hands::plain(&cloud.portal(), "en")?));
    let mut site = Site::around(cloud, mails, 70).await?;
    let (tab, _) = site.tab("awkward-web").await?;
    assert_eq!(tab.origin(), format!("https://localhost:{port}"));
    assert!(tab.cookie.starts_with(&format!("__Host-gl-pass-{port}=")), "{}", tab.cookie);

    let first = tab.get("/").await?;
    let set: Vec<_> = first.headers.get_all(header::SET_COOKIE).iter().map(|line| line.to_str().unwrap()).collect();
    assert_eq!(
        set,
        [format!("gl{port}-sid=abc; Path=/; HttpOnly; Secure"), format!("gl{port}-lang=it; Path=/; Secure")]
    );
    let (own, other) = (format!("gl{port}-sid=abc; gl1-sid=another"), "plain=1; __Host-gl-session=portal");
    let told = [("cookie", own.as_str()), ("cookie", other)];
    assert_eq!(tab.ask(Method::GET, "/cookies", &told).await?.text, "sid=abc");
    let policy = first.header("content-security-policy");
    assert!(policy.contains("upgrade-insecure-requests"), "{policy}");

    // The one port is taken.
    let refused = site.ask("old-web").await.unwrap_err().to_string();
    assert!(refused.contains("asking led to /devices/"), "{refused}");
    site.stage.installer.reads("As many web pages are open").await?;
    // Nobody without the cookie, at the port either.
    let mut stranger = tab.clone();
    stranger.cookie.clear();
    assert_eq!(stranger.get("/").await?.status, StatusCode::FORBIDDEN);
    Ok(())
}

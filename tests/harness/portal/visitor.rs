//! A browser without JavaScript or pictures: cookies, redirects, forms, and the headers by which a portal knows that
//! a form is its own.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use reqwest::{
    Client, Response,
    cookie::{CookieStore as _, Jar},
    header,
};

use super::Page;

/// Somebody at the portal.
#[derive(Debug)]
pub struct Visitor {
    http: Client,
    cookies: Arc<Jar>,
    portal: String,
    page: Option<Page>,
}

impl Visitor {
    /// Somebody who comes to that portal, like `http://localhost:8080`, and reads that language.
    pub fn at(portal: &str, language: &str) -> anyhow::Result<Self> {
        // The first caller of a process decides; they all choose alike.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut headers = header::HeaderMap::new();
        headers.insert(header::ACCEPT_LANGUAGE, language.parse().context("a language is a word")?);
        headers.insert(header::ACCEPT, header::HeaderValue::from_static("text/html"));
        let cookies = Arc::new(Jar::default());
        let http = Client::builder().cookie_provider(cookies.clone()).default_headers(headers);
        let http = http.build().context("no HTTP client")?;
        Ok(Self { http, cookies, portal: portal.trim_end_matches('/').to_owned(), page: None })
    }

    /// Opens an address: a path of the portal, or whole.
    pub async fn open(&mut self, address: &str) -> anyhow::Result<&Page> {
        let address = self.whole(address);
        let sent = self.http.get(&address).header("sec-fetch-site", "none").send().await;
        self.keep(sent.with_context(|| format!("cannot open {address}"))?).await
    }

    /// Sends the form of this page that goes to `action`, with these fields filled in.
    pub async fn submit(&mut self, action: &str, fields: &[(&str, &str)]) -> anyhow::Result<&Page> {
        let form = self.page()?.form(action)?;
        let mut all = form.fields;
        for (name, text) in fields {
            ensure!(form.names.iter().any(|known| known == name), "the form to {action} has no field `{name}`");
            all.retain(|(known, _)| known != name);
            all.push(((*name).to_owned(), (*text).to_owned()));
        }
        let answer = self.post(action, &all).await?;
        self.keep(answer).await
    }

    /// What a script of the portal's gets by a POST: the status, and the answer's text.
    pub async fn fetch(&self, path: &str, fields: &[(&str, &str)]) -> anyhow::Result<(u16, String)> {
        let answer = self.post(path, fields).await?;
        let status = answer.status().as_u16();
        Ok((status, answer.text().await.with_context(|| format!("cannot read {path}"))?))
    }

    /// The cookies that go with a request to the portal.
    pub fn cookie(&self) -> anyhow::Result<header::HeaderValue> {
        self.cookies.cookies(&self.portal.parse()?).context("no cookie of the portal")
    }

    async fn post(&self, path: &str, fields: &[(impl AsRef<str>, impl AsRef<str>)]) -> anyhow::Result<Response> {
        let address = self.whole(path);
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self
            .http
            .post(&address)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ORIGIN, &self.portal)
            .header("sec-fetch-site", "same-origin")
            .body(body);
        request.send().await.with_context(|| format!("cannot send the form to {address}"))
    }

    /// The page that is open.
    pub fn page(&self) -> anyhow::Result<&Page> {
        self.page.as_ref().context("no page is open")
    }

    fn whole(&self, address: &str) -> String {
        if address.starts_with('/') { format!("{}{address}", self.portal) } else { address.to_owned() }
    }

    async fn keep(&mut self, answer: Response) -> anyhow::Result<&Page> {
        let (address, status) = (answer.url().to_string(), answer.status().as_u16());
        let retry_after = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let html = answer.text().await.with_context(|| format!("cannot read {address}"))?;
        Ok(self.page.insert(Page { address, status, retry_after, html }))
    }
}

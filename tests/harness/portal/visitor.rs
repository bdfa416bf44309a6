//! A browser without JavaScript or pictures: cookies, redirects, forms, and the headers by which a portal knows that
//! a form is its own.

use anyhow::{Context as _, ensure};
use reqwest::{Client, Response, header};

use super::Page;

/// Somebody at the portal.
#[derive(Debug)]
pub struct Visitor {
    http: Client,
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
        let http = Client::builder().cookie_store(true).default_headers(headers).build().context("no HTTP client")?;
        Ok(Self { http, portal: portal.trim_end_matches('/').to_owned(), page: None })
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
        let address = self.whole(action);
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(all).finish();
        let request = self
            .http
            .post(&address)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ORIGIN, &self.portal)
            .header("sec-fetch-site", "same-origin")
            .body(body);
        let answer = request.send().await.with_context(|| format!("cannot send the form to {address}"))?;
        self.keep(answer).await
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

//! The API's document against the router that serves it.

use std::collections::BTreeSet;

use gatelodge_cloud::wiring;
use http::StatusCode;
use serde_json::Value;

use crate::{
    cast::{self, Cast},
    doors::Knock,
};

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];
const DOCUMENT: &str = "/api/openapi.json";

async fn document(cast: &Cast) -> anyhow::Result<Value> {
    let answer = Knock::by_nobody(cast).at("GET", DOCUMENT, "", "", "").await?;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    Ok(serde_json::from_str(&answer.body)?)
}

/// The paths that programs call, as the router itself holds them.
fn served_paths() -> BTreeSet<String> {
    let router = format!("{:?}", wiring::routes());
    let machines = ["/api/", "/enrol/", "/record/"];
    let ours = |text: &&str| machines.iter().any(|start| text.starts_with(start)) && *text != DOCUMENT;
    router.split('"').filter(ours).map(ToOwned::to_owned).collect()
}

fn calls(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        let calls = item.as_object().into_iter().flatten();
        calls
            .filter(|(method, _)| METHODS.contains(&method.as_str()))
            .map(move |(method, call)| (path.as_str(), method.as_str(), call))
    })
}

#[tokio::test]
async fn the_document_names_every_call_that_the_router_serves_and_no_other() -> anyhow::Result<()> {
    let cast = cast::on_each().await?.swap_remove(0);
    let nobody = Knock::by_nobody(&cast);
    let paths = served_paths();
    assert!(paths.len() > 30, "the router shows its paths: {paths:?}");
    let mut served = BTreeSet::new();
    for path in &paths {
        for method in METHODS {
            let answer = nobody.at(&method.to_uppercase(), path, "", "", "").await?;
            if answer.status != StatusCode::METHOD_NOT_ALLOWED {
                served.insert(format!("{method} {path}"));
            }
        }
    }
    let document = document(&cast).await?;
    let described: BTreeSet<_> = calls(&document).map(|(path, method, _)| format!("{method} {path}")).collect();
    let silent: Vec<_> = served.difference(&described).collect();
    assert!(silent.is_empty(), "served, but not in the document: {silent:?}");
    let gone: Vec<_> = described.difference(&served).collect();
    assert!(gone.is_empty(), "in the document, but not served: {gone:?}");
    Ok(())
}

#[tokio::test]
async fn a_call_that_needs_nobody_is_marked_so_and_every_other_asks_for_a_sign_in() -> anyhow::Result<()> {
    let cast = cast::on_each().await?.swap_remove(0);
    let nobody = Knock::by_nobody(&cast);
    let document = document(&cast).await?;
    for scheme in ["token", "browser"] {
        assert!(document["components"]["securitySchemes"][scheme].is_object(), "{scheme}");
    }
    assert_eq!(document["security"].as_array().map(Vec::len), Some(2));
    for (path, method, call) in calls(&document) {
        let open = call["security"] == serde_json::json!([{}]);
        assert!(open || call["security"].is_null(), "{method} {path}: {}", call["security"]);
        let answer = nobody.at(&method.to_uppercase(), path, "application/json", "{}", "").await?;
        assert_eq!(answer.status == StatusCode::UNAUTHORIZED, !open, "{method} {path}: {}", answer.body);
    }
    Ok(())
}

#[tokio::test]
async fn the_document_is_whole() -> anyhow::Result<()> {
    let cast = cast::on_each().await?.swap_remove(0);
    let document = document(&cast).await?;
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "{}", document["openapi"]);
    let mut dangling = Vec::new();
    references(&document, &mut |reference| {
        let found = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
        if found.is_none() {
            dangling.push(reference.to_owned());
        }
    });
    assert!(dangling.is_empty(), "nothing stands at {dangling:?}");

    let names = |list: &Value, key: &str| -> Vec<String> {
        let items = list.as_array().into_iter().flatten();
        items.filter_map(|item| item[key].as_str().map(ToOwned::to_owned)).collect()
    };
    let tags = names(&document["tags"], "name");
    let mut ids = BTreeSet::new();
    for (path, method, call) in calls(&document) {
        let place = format!("{method} {path}");
        let id = call["operationId"].as_str().unwrap_or_default().to_owned();
        assert!(!id.is_empty() && ids.insert(id.clone()), "{place}: `{id}` names another call already");
        assert!(call["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{place} says nothing of itself");
        for tag in call["tags"].as_array().into_iter().flatten() {
            assert!(tags.iter().any(|known| tag == known.as_str()), "{place}: nobody explains the tag {tag}");
        }
        let placed: BTreeSet<_> = names(
            &call["parameters"].as_array().into_iter().flatten().filter(|one| one["in"] == "path").cloned().collect(),
            "name",
        )
        .into_iter()
        .collect();
        let in_path: BTreeSet<_> = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}').map(ToOwned::to_owned))
            .collect();
        assert_eq!(placed, in_path, "{place}");
        let responses = call["responses"].as_object().expect("responses");
        assert!(responses.keys().any(|status| status.starts_with('2')), "{place} never succeeds");
        assert_eq!(responses.contains_key("200"), responses.get("200").is_some_and(has_body), "{place}: 200 of what?");
        for (status, response) in responses.iter().filter(|(status, _)| !status.starts_with('2')) {
            let shape = &response["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(shape, "#/components/schemas/Problem", "{place} {status}");
        }
    }
    Ok(())
}

fn has_body(response: &Value) -> bool {
    response["content"].as_object().is_some_and(|content| !content.is_empty())
}

fn references(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get("$ref") {
                found(reference);
            }
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

//! Style sheet, script and pictures, kept by browsers for ever because their names carry their hash.

use axum::{
    extract::Path,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};

use super::Fault;
use crate::render::asset;

pub(super) async fn serve_asset(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Fault> {
    let (hash, name) = name.split_once('-').ok_or_else(Fault::not_found)?;
    let asset = asset(name).filter(|asset| asset.hash == hash).ok_or_else(Fault::not_found)?;
    let tag = format!("\"{hash}\"");
    let kept = [(header::CACHE_CONTROL, "public, max-age=31536000, immutable".to_owned()), (header::ETAG, tag.clone())];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return Ok((StatusCode::NOT_MODIFIED, kept).into_response());
    }
    Ok((kept, [(header::CONTENT_TYPE, asset.media_type)], asset.bytes.into_owned()).into_response())
}

/// Browsers ask for it by this name whatever the page says.
pub(super) async fn favicon() -> Result<Response, Fault> {
    let mark = asset("mark.svg").ok_or_else(Fault::not_found)?;
    let kept = [(header::CACHE_CONTROL, "public, max-age=86400"), (header::CONTENT_TYPE, "image/svg+xml")];
    Ok((kept, mark.bytes.into_owned()).into_response())
}

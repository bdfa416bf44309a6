//! A body that may take long to stream and is watched over by whoever streams it: its connection is not idle meanwhile.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use super::serve::UnderWay;

/// An extension of a response whose body takes long; it holds a place until the body is over.
#[derive(Debug, Clone)]
pub struct LongBody {
    _place: Arc<OwnedSemaphorePermit>,
}

impl LongBody {
    /// Holding this place.
    pub fn holding(place: OwnedSemaphorePermit) -> Self {
        Self { _place: Arc::new(place) }
    }

    pub(super) fn over(self, body: Body, under_way: UnderWay) -> impl HttpBody<Data = Bytes, Error = axum::Error> {
        Streamed { body, _held: (self, under_way) }
    }
}

struct Streamed {
    body: Body,
    _held: (LongBody, UnderWay),
}

impl HttpBody for Streamed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

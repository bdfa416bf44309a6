//! A look around on the networks of a session, by whoever asked for it: what the device tells, as it comes. Nothing is
//! opened.

use bytes::BytesMut;

use super::{
    Arrival, FrameError,
    driver::{Handle, OpenFailure},
    finds::{Find, FindFrame},
    inner_frame::{Class, Open, ResetCode, Target},
};
use crate::FlowId;

/// Nothing came of looking around.
#[derive(Debug, thiserror::Error)]
pub enum NoFinds {
    /// The device says why, in a sentence.
    #[error("the device refuses: {0}")]
    Refused(String),
    /// The device says so by a code, or the session is over.
    #[error(transparent)]
    Open(#[from] OpenFailure),
    /// The device does not speak as agreed.
    #[error(transparent)]
    Spoken(#[from] FrameError),
    /// The session ended before the device was done.
    #[error("the session ended before the device had looked everywhere")]
    Cut,
}

impl From<ResetCode> for NoFinds {
    fn from(_: ResetCode) -> Self {
        Self::Cut
    }
}

/// What is heard while a device looks around.
pub trait Watch: Send {
    /// One more; or the same place once more, said better.
    fn found(&mut self, find: Find);
    /// Steps that were taken, of so many that are known.
    fn at(&mut self, done: u32, of: u32);
}

/// Has the device look around; whether there was more than it told.
pub async fn look_around(handle: &Handle, flow: FlowId, watch: &mut impl Watch) -> Result<bool, NoFinds> {
    let open = Open { flow, target: Target::Discover, class: Class::Interactive, credit: 0 };
    let stream = handle.open(open).await?;
    let mut heard = BytesMut::new();
    loop {
        while let Some(frame) = FindFrame::take(&mut heard)? {
            match frame {
                FindFrame::Found(find) => watch.found(find),
                FindFrame::Progress { done, of } => watch.at(done, of),
                FindFrame::Done { cut } => {
                    let _ = stream.finish().await;
                    return Ok(cut);
                }
                FindFrame::Refused(sentence) => return Err(NoFinds::Refused(sentence)),
            }
        }
        match stream.next().await? {
            Arrival::Data(bytes) => {
                heard.extend_from_slice(&bytes);
                stream.consumed(bytes.len()).await?;
            }
            Arrival::End => return Err(NoFinds::Cut),
        }
    }
}

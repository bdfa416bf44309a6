//! A file or folder as a flow: in both histories before its first byte, and closed in both after its last.

use gatelodge_proto::{
    payload::{Feature, FlowOutcome, Happening},
    session::{
        FlowTotals,
        driver::Incoming,
        files::{DevicePath, FileAct},
        inner_frame::OpenError,
    },
};
use tokio::time::Instant;

use super::{Shared, files};

impl Shared {
    /// A file or folder from its row to its end. What cannot be done is told in a sentence, on the stream.
    pub(super) async fn file(&self, wanted: Incoming, path: Option<DevicePath>, act: FileAct, begun: Instant) {
        let (flow, stream) = (wanted.open.flow, wanted.stream);
        let target = files::spelled(path.as_ref(), act);
        let may = self.terms.features.contains(&Feature::Files);
        let found = if may { Some(files::find(self.folders.clone(), path, act).await) } else { None };
        let outcome = match &found {
            Some(Ok(_)) => FlowOutcome::Opened,
            Some(Err(error)) => error.outcome(),
            None => FlowOutcome::NotAllowed,
        };
        let told = self.tell(Happening::FlowOpened { session: self.terms.grant.session, flow, target, outcome }).await;
        let Some(found) = found.filter(|_| told) else {
            return self.handle.refuse(stream, OpenError::NotAllowed).await;
        };
        let Some(stream) = self.handle.accept(stream, begun.elapsed(), String::new()).await else {
            if outcome == FlowOutcome::Opened {
                self.closed(flow, FlowTotals::default(), begun).await;
            }
            return;
        };
        match found {
            Ok(found) => {
                let totals = found.run(&stream).await;
                self.closed(flow, totals, begun).await;
            }
            Err(error) => files::refuse(&stream, &error).await,
        }
    }
}

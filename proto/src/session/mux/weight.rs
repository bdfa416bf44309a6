//! What a frame counts among those that wait for the carrier.

use super::InnerFrame;

/// Datagrams are no window's to bound: even empty ones weigh so much that a full queue of them is less than
/// [`super::MAX_CONTROL`] frames, and both ends go on reading.
const LEAST_DATAGRAM: usize = 256;

pub(super) fn weight(frame: &InnerFrame) -> usize {
    if let InnerFrame::Dgram { payload, .. } = frame {
        payload.len().max(LEAST_DATAGRAM)
    } else if let InnerFrame::Data { payload, .. } = frame {
        payload.len()
    } else {
        0
    }
}

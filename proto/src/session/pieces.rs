//! Bytes that arrived and wait, in order. A piece keeps the whole buffer it was read into, which its sender may have
//! filled with frames that mean nothing: small pieces are copied together.

use std::{collections::VecDeque, io::IoSlice};

use bytes::{Buf, Bytes, BytesMut};

/// Pieces smaller than this are copied.
const SMALL: usize = 8 * 1024;

#[derive(Debug, Default)]
pub(super) struct Pieces {
    whole: VecDeque<Bytes>,
    /// Small pieces that follow `whole`.
    tail: BytesMut,
}

impl Pieces {
    pub(super) fn push(&mut self, bytes: Bytes) {
        if bytes.len() < SMALL {
            self.tail.extend_from_slice(&bytes);
            return;
        }
        let tail = self.tail.split();
        if !tail.is_empty() {
            self.whole.push_back(tail.freeze());
        }
        self.whole.push_back(bytes);
    }

    pub(super) fn pop(&mut self) -> Option<Bytes> {
        self.whole.pop_front().or_else(|| (!self.tail.is_empty()).then(|| self.tail.split().freeze()))
    }

    /// What was popped and not used up goes first again.
    pub(super) fn put_back(&mut self, rest: Bytes) {
        self.whole.push_front(rest);
    }

    pub(super) fn clear(&mut self) {
        self.whole.clear();
        self.tail.clear();
    }
}

/// Pieces in order, as one [`Buf`] that is written by one call.
#[derive(Debug, Default)]
pub struct Gathered {
    pieces: VecDeque<Bytes>,
    bytes: usize,
}

impl Gathered {
    /// Whether there is nothing.
    pub const fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    pub(super) fn push(&mut self, bytes: Bytes) {
        self.bytes += bytes.len();
        self.pieces.push_back(bytes);
    }
}

impl Buf for Gathered {
    fn remaining(&self) -> usize {
        self.bytes
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.front().map_or(&[], |piece| piece)
    }

    fn chunks_vectored<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let slices = into.iter_mut().zip(&self.pieces);
        slices.map(|(slice, piece)| *slice = IoSlice::new(piece)).count()
    }

    fn advance(&mut self, mut bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        while let Some(front) = self.pieces.front_mut() {
            if front.len() > bytes {
                front.advance(bytes);
                return;
            }
            bytes -= front.len();
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Memory that tells when it is gone.
    struct Read(Vec<u8>, #[expect(dead_code, reason = "counts those who keep the memory")] Arc<()>);

    impl AsRef<[u8]> for Read {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    #[test]
    fn a_byte_does_not_keep_the_buffer_it_came_in() {
        let (keeps, mut pieces) = (Arc::new(()), Pieces::default());
        let mut sent = Vec::new();
        for number in 0..100_u8 {
            let length = if number % 10 == 0 { SMALL } else { 3 };
            let buffer = Bytes::from_owner(Read(vec![number; 64 * 1024], keeps.clone()));
            sent.extend(vec![number; length]);
            pieces.push(buffer.slice(..length));
        }
        assert_eq!(Arc::strong_count(&keeps) - 1, 10, "those that are large enough to be worth it");
        let first = pieces.pop().unwrap();
        pieces.put_back(first);
        let got: Vec<u8> = std::iter::from_fn(|| pieces.pop()).flatten().collect();
        assert_eq!(got, sent);
    }

    #[test]
    fn gathered_pieces_are_one_text_however_it_is_written() {
        let words = ["one ", "", "two ", "three"];
        for step in 1..20 {
            let mut gathered = Gathered::default();
            for word in words {
                gathered.push(Bytes::from_static(word.as_bytes()));
            }
            let mut got = Vec::new();
            while gathered.has_remaining() {
                let mut slices = [IoSlice::new(&[]); 3];
                let filled = gathered.chunks_vectored(&mut slices);
                let text: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
                let written = text.len().min(step);
                got.extend_from_slice(&text[..written]);
                gathered.advance(written);
            }
            assert_eq!(got, b"one two three");
            assert!(gathered.is_empty() && gathered.pieces.is_empty());
        }
    }
}

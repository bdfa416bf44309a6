//! Randomness as a parameter: real programs draw from the system, tests from a seed they print.

use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

/// A source of random bytes. Clones share the same source.
#[derive(Clone)]
pub struct Random(Source);

#[derive(Clone)]
enum Source {
    System,
    Seeded(Arc<Mutex<(u64, u64)>>),
}

impl Random {
    /// The operating system's generator.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A reproducible stream for tests. Never for secrets.
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(Arc::new(Mutex::new((seed, 0)))))
    }

    /// `N` random bytes.
    ///
    /// # Panics
    /// When the system has no entropy source: nothing safe can be done then.
    #[expect(clippy::expect_used, reason = "without entropy no key, token or code may be made")]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        match &self.0 {
            Source::System => getrandom::fill(&mut out).expect("the system's random source answers"),
            Source::Seeded(state) => {
                let mut state = state.lock().expect("no holder of the seed panics");
                for chunk in out.chunks_mut(32) {
                    let block = Sha256::digest([state.0.to_be_bytes(), state.1.to_be_bytes()].concat());
                    state.1 += 1;
                    chunk.copy_from_slice(&block[..chunk.len()]);
                }
            }
        }
        out
    }

    /// A number in `0..bound`, without modulo bias worth speaking of (64 bits are reduced).
    pub fn below(&self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { u64::from_be_bytes(self.bytes()) % bound }
    }
}

impl std::fmt::Debug for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Random")
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn a_seed_gives_the_same_stream_and_another_seed_another() {
        let (a, b, c) = (Random::seeded(7), Random::seeded(7), Random::seeded(8));
        let (first, second): ([u8; 40], [u8; 40]) = (a.bytes(), a.bytes());
        assert_ne!(first, second);
        assert_eq!(first, b.bytes::<40>());
        assert_ne!(first, c.bytes::<40>());
    }

    #[test]
    fn the_system_does_not_repeat_itself() {
        assert_ne!(Random::system().bytes::<16>(), Random::system().bytes::<16>());
    }
}

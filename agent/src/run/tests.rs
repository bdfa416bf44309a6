//! Placeholder until the far side is in place.

//! Codes of authenticator apps (TOTP, RFC 6238): six digits each 30 s. SHA-1, as some apps know nothing else, and
//! HMAC-SHA-1 is sound for it. Pure.

use gatelodge_proto::{Random, Timestamp};
use totp_rs::{Algorithm, Builder, Secret, Totp};
use zeroize::Zeroizing;

/// Seconds of one step.
const STEP: u64 = 30;
/// Steps that a phone's clock may be ahead or behind.
const SKEW: u16 = 1;

/// What app and cloud share: 160 bits (RFC 4226 section 4).
#[derive(Clone)]
pub struct AppSecret(Zeroizing<Vec<u8>>);

impl AppSecret {
    /// A new one.
    pub fn make(random: &Random) -> Self {
        Self(Zeroizing::new(random.bytes::<20>().to_vec()))
    }

    /// As it was sealed.
    pub(super) const fn from_bytes(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// For sealing.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn totp(&self, issuer: &str, account: &str) -> Totp {
        let plain = |text: &str| text.replace(':', " ");
        Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(6)
            .with_skew(SKEW)
            .with_step_duration(STEP)
            .with_secret(self.0.to_vec())
            .with_issuer(Some(plain(issuer)))
            .with_account_name(plain(account))
            .build_noncompliant()
    }

    /// For typing: base32 in groups of four.
    pub fn text(&self) -> String {
        let text = Secret::from(self.0.to_vec()).to_base32();
        text.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ")
    }

    /// For the square code: the `otpauth` address that apps know.
    pub fn uri(&self, issuer: &str, account: &str) -> String {
        self.totp(issuer, account).to_url().unwrap_or_default()
    }

    /// The step whose code this is, when it is near enough to now.
    pub fn step_of(&self, code: &str, now: Timestamp) -> Option<i64> {
        let seconds = u64::try_from(now.seconds()).ok()?;
        let step = self.totp("", "").check(code, seconds)?;
        i64::try_from(step).ok()
    }

    /// The code of this moment, as an app shows it.
    pub fn code(&self, now: Timestamp) -> String {
        self.totp("", "").generate(u64::try_from(now.seconds()).unwrap_or(0)).to_string()
    }
}

impl std::fmt::Debug for AppSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AppSecret(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238 appendix B, the last six of its eight digits.
    #[test]
    fn the_codes_are_those_of_the_standard() {
        let secret = AppSecret(Zeroizing::new(b"12345678901234567890".to_vec()));
        for (at, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
        {
            let now = Timestamp::from_seconds(at);
            assert_eq!(secret.code(now), code);
            assert_eq!(secret.step_of(code, now), Some(at / 30));
        }
        assert_eq!(secret.text(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
    }

    #[test]
    fn a_code_fits_one_step_early_or_late_and_no_more() {
        let (secret, now) = (AppSecret::make(&Random::seeded(1)), Timestamp::from_seconds(1_800_000_000));
        let at = |steps: i64| Timestamp::from_seconds(1_800_000_000 + steps * 30);
        let fits = |steps: i64| secret.step_of(&secret.code(at(steps)), now).is_some();
        assert_eq!([-2, -1, 0, 1, 2].map(fits), [false, true, true, true, false]);
        for bad in ["", "12345", "1234567", "abcdef", "１２３４５６"] {
            assert_eq!(secret.step_of(bad, now), None, "{bad}");
        }
        assert_eq!(format!("{secret:?}"), "AppSecret(hidden)");
    }

    #[test]
    fn the_square_code_names_the_vendor_and_the_account() {
        let secret = AppSecret(Zeroizing::new(b"12345678901234567890".to_vec()));
        let uri = secret.uri("Sentinel: SA", "anna@example.com");
        assert!(uri.starts_with("otpauth://totp/Sentinel%20%20SA:anna%40example.com?"), "{uri}");
        assert!(uri.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), "{uri}");
    }
}

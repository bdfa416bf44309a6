//! Which passwords are taken, and how they are kept: Argon2id, a few at a time, off the async threads.

use std::sync::OnceLock;

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version, password_hash::phc::PasswordHash,
};
use gatelodge_proto::Random;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;
use zxcvbn::{Score, zxcvbn};

/// The shortest password, in characters.
pub const SHORTEST: usize = 12;
/// The longest password, in characters.
pub const LONGEST: usize = 128;

/// Each hash takes 19 MiB and some 20 ms of a core: this many at once, the others wait.
static ROOM: Semaphore = Semaphore::const_new(2);

/// How much of a password is weighed: the cost of weighing grows faster than its length.
const WEIGHED: usize = 72;

/// How many characters a password must have besides what is known about its owner.
const OWN_PART: usize = 6;

/// A password that may be kept. Never shown, wiped when dropped.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRefusal {
    /// Fewer characters than [`SHORTEST`].
    #[error("a password has at least {SHORTEST} characters; four words that do not belong together make a good one")]
    TooShort,
    /// More characters than [`LONGEST`].
    #[error("a password has at most {LONGEST} characters")]
    TooLong,
    /// Common, or made of what is known about its owner.
    #[error("this password is easily guessed; take four words that do not belong together")]
    Guessable,
}

impl Password {
    /// Takes a password if its length is right and nobody guesses it soon, knowing `about` its owner: name, e-mail
    /// address, company. There is no rule about kinds of characters (NIST SP 800-63B section 3.1.1.2).
    pub fn choose(text: &str, about: &[&str]) -> Result<Self, PasswordRefusal> {
        let length = text.chars().count();
        if length < SHORTEST {
            return Err(PasswordRefusal::TooShort);
        }
        if length > LONGEST {
            return Err(PasswordRefusal::TooLong);
        }
        let weighed: String = text.chars().take(WEIGHED).collect();
        let parts: Vec<&str> = about
            .iter()
            .flat_map(|known| std::iter::once(*known).chain(known.split(|c: char| !c.is_alphanumeric())))
            .chain(["gatelodge"])
            .filter(|part| part.chars().count() >= 3)
            .collect();
        if zxcvbn(&weighed, &parts).score() < Score::Three || own_part(text, &parts) < OWN_PART {
            return Err(PasswordRefusal::Guessable);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// The PHC string to keep.
    pub async fn hash(&self, random: &Random) -> Result<String, HashingFailed> {
        let (text, salt) = (self.0.clone(), random.bytes::<16>());
        with_room(move || {
            argon2()?
                .hash_password_with_salt(text.as_bytes(), &salt)
                .map(|hash| hash.to_string())
                .map_err(|error| HashingFailed(error.to_string()))
        })
        .await
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password")
    }
}

/// The machine could not hash; never a matter of the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a password could not be hashed: {0}")]
pub struct HashingFailed(String);

/// Whether `typed` is the password kept as `hash`. Without a hash the same work is done for nothing, so that the
/// time taken does not tell which addresses are known.
pub async fn is_right(typed: &str, hash: Option<&str>) -> Result<bool, HashingFailed> {
    // Nothing longer was ever taken.
    let typed: Zeroizing<String> = Zeroizing::new(typed.chars().take(LONGEST + 1).collect());
    let hash = hash.map(ToOwned::to_owned);
    with_room(move || {
        let known = hash.is_some();
        let hash = match hash {
            Some(hash) => hash,
            None => decoy()?.to_owned(),
        };
        let parsed = PasswordHash::new(&hash).map_err(|error| HashingFailed(error.to_string()))?;
        Ok(argon2()?.verify_password(typed.as_bytes(), &parsed).is_ok() && known)
    })
    .await
}

/// How many characters remain when what is known is taken out.
fn own_part(text: &str, known: &[&str]) -> usize {
    let rest = known.iter().fold(text.to_lowercase(), |rest, part| rest.replace(&part.to_lowercase(), ""));
    rest.chars().count()
}

async fn with_room<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, HashingFailed> + Send + 'static,
) -> Result<T, HashingFailed> {
    let _place = ROOM.acquire().await.map_err(|error| HashingFailed(error.to_string()))?;
    tokio::task::spawn_blocking(work).await.map_err(|error| HashingFailed(error.to_string()))?
}

/// OWASP's choice for Argon2id: 19 MiB, two passes, one lane.
fn argon2() -> Result<Argon2<'static>, HashingFailed> {
    let params = Params::new(19 * 1024, 2, 1, None).map_err(|error| HashingFailed(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The hash of no password, of the same cost as any.
fn decoy() -> Result<&'static str, HashingFailed> {
    static DECOY: OnceLock<String> = OnceLock::new();
    if let Some(decoy) = DECOY.get() {
        return Ok(decoy);
    }
    let hash = argon2()?
        .hash_password_with_salt(b"nobody's password", &[7; 16])
        .map_err(|error| HashingFailed(error.to_string()))?;
    Ok(DECOY.get_or_init(|| hash.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT: &[&str] = &["Anna Bergmann", "anna@bergmann-alarm.example", "Bergmann Alarm"];

    #[test]
    fn short_long_common_and_personal_passwords_are_refused() {
        let choose = |text: &str| Password::choose(text, ABOUT).map(drop);
        assert_eq!(choose("tiny-frog-7"), Err(PasswordRefusal::TooShort));
        assert_eq!(choose(&"abcdefg ".repeat(17)), Err(PasswordRefusal::TooLong));
        for guessable in [
            "password1234",
            "123456789012",
            "aaaaaaaaaaaaaaaa",
            "qwertyuiop12",
            "annabergmann",
            "Bergmann-Alarm1",
            "gatelodge123",
        ] {
            assert_eq!(choose(guessable), Err(PasswordRefusal::Guessable), "{guessable}");
        }
        for good in ["copper kettle under seven", "Zwölf-blaue-Enten", "x9!kQ2#vLp0z", &"ä-long phrase/".repeat(9)] {
            assert_eq!(choose(good), Ok(()), "{good}");
        }
    }

    #[tokio::test]
    async fn the_kept_form_is_argon2id_and_only_the_right_password_fits() {
        let password = Password::choose("copper kettle under seven", ABOUT).unwrap();
        let hash = password.hash(&Random::seeded(1)).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_eq!(is_right("copper kettle under seven", Some(&hash)).await, Ok(true));
        assert_eq!(is_right("copper kettle under eight", Some(&hash)).await, Ok(false));
        assert_eq!(is_right("nobody's password", None).await, Ok(false), "the decoy opens nothing");
        assert_ne!(hash, password.hash(&Random::seeded(2)).await.unwrap(), "each hash has its own salt");
    }
}

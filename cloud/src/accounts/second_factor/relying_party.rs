//! The portal as the party that passkeys are made for (WebAuthn section 5). Makes what the script `passkey.js` hands to
//! the browser and reads what comes back; keeps nothing.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;
use webauthn_rs::prelude::{
    AuthenticationResult, CredentialID, DiscoverableAuthentication, Passkey, PasskeyAuthentication,
    PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Webauthn, WebauthnBuilder,
};

use super::model::FactorRefusal;
use crate::{accounts::tokens::Secret, config::Config};

/// How long a browser waits for a person, in milliseconds.
const PATIENCE_MS: u32 = 300_000;

/// What the script needs to begin: the secret of the ceremony, and the options of `navigator.credentials`.
#[derive(Debug, Clone, Serialize)]
pub struct Begun {
    ceremony: String,
    options: Value,
}

impl Begun {
    /// A ceremony with its options.
    pub fn new(ceremony: &Secret, options: Value) -> Self {
        Self { ceremony: ceremony.expose(), options }
    }
}

/// The portal under the host name of `public_url`.
pub struct RelyingParty {
    webauthn: Webauthn,
    id: String,
}

impl RelyingParty {
    /// The portal of these settings; none when its address has no name.
    pub fn of(config: &Config) -> Result<Self, FactorRefusal> {
        let origin = &config.public_url;
        let id = origin.domain().ok_or(FactorRefusal::NoName)?;
        // Browsers hold `localhost` to be secure, and the plain listener on loopback is another of its ports.
        let loopback = (id == "localhost").then(|| Url::parse("http://localhost").ok()).flatten();
        let mut builder = WebauthnBuilder::new(id, origin)
            .map_err(|_| FactorRefusal::NoName)?
            .rp_name(&config.mail.vendor_name)
            .timeout(std::time::Duration::from_millis(u64::from(PATIENCE_MS)))
            .allow_any_port(loopback.is_some());
        if let Some(loopback) = &loopback {
            builder = builder.append_allowed_origin(loopback);
        }
        Ok(Self { webauthn: builder.build().map_err(|_| FactorRefusal::NoName)?, id: id.to_owned() })
    }

    /// Options for a new passkey that the browser can find by itself. `handle` is the account as authenticators know it:
    /// they keep one passkey for each, so a purpose beside signing in needs a handle of its own.
    pub fn creation(
        &self,
        handle: Uuid,
        account: &str,
        name: &str,
        known: Vec<CredentialID>,
    ) -> Result<(Value, PasskeyRegistration), FactorRefusal> {
        let (options, memory) =
            self.webauthn.start_passkey_registration(handle, account, name, Some(known)).map_err(refused)?;
        let mut options = serde_json::to_value(options).map_err(|_| FactorRefusal::Passkey)?;
        options["publicKey"]["authenticatorSelection"]["residentKey"] = json!("required");
        options["publicKey"]["authenticatorSelection"]["requireResidentKey"] = json!(true);
        Ok((options, memory))
    }

    /// The passkey that a browser made from [`creation`](Self::creation).
    pub fn created(&self, credential: &str, memory: &PasskeyRegistration) -> Result<Passkey, FactorRefusal> {
        let credential: RegisterPublicKeyCredential = read(credential)?;
        self.webauthn.finish_passkey_registration(&credential, memory).map_err(refused)
    }

    /// Options to show one of these passkeys.
    pub fn assertion(&self, passkeys: &[Passkey]) -> Result<(Value, PasskeyAuthentication), FactorRefusal> {
        let (options, memory) = self.webauthn.start_passkey_authentication(passkeys).map_err(refused)?;
        Ok((serde_json::to_value(options).map_err(|_| FactorRefusal::Passkey)?, memory))
    }

    /// What a browser showed.
    pub fn asserted(
        &self,
        credential: &str,
        memory: &PasskeyAuthentication,
    ) -> Result<AuthenticationResult, FactorRefusal> {
        self.webauthn.finish_passkey_authentication(&read(credential)?, memory).map_err(refused)
    }

    /// Options to show any passkey of this portal: whoever signs in has not said yet who they are.
    pub fn discovery(&self) -> Result<(Value, DiscoverableAuthentication), FactorRefusal> {
        let (options, memory) = self.webauthn.start_discoverable_authentication().map_err(refused)?;
        let mut options = serde_json::to_value(options).map_err(|_| FactorRefusal::Passkey)?;
        // Asked for by a press, not offered while somebody types.
        if let Some(options) = options.as_object_mut() {
            options.remove("mediation");
        }
        Ok((options, memory))
    }

    /// Which passkey a browser showed, and for which handle. Proves nothing yet.
    pub fn named(&self, credential: &str) -> Result<(Uuid, Vec<u8>, PublicKeyCredential), FactorRefusal> {
        let credential: PublicKeyCredential = read(credential)?;
        let (handle, id) = self.webauthn.identify_discoverable_authentication(&credential).map_err(refused)?;
        let id = id.to_vec();
        Ok((handle, id, credential))
    }

    /// Whether it was that passkey.
    pub fn discovered(
        &self,
        credential: &PublicKeyCredential,
        memory: DiscoverableAuthentication,
        passkey: &Passkey,
    ) -> Result<AuthenticationResult, FactorRefusal> {
        self.webauthn.finish_discoverable_authentication_v2(credential, memory, passkey).map_err(refused)
    }

    /// Options to sign a challenge of the caller's own choosing, like the hash of what somebody agrees to, with one of
    /// these credentials. The caller (or a device that trusts no cloud) checks the answer.
    pub fn signature_over(&self, challenge: &[u8], credentials: &[Vec<u8>]) -> Value {
        let allowed: Vec<_> =
            credentials.iter().map(|id| json!({ "type": "public-key", "id": URL_SAFE_NO_PAD.encode(id) })).collect();
        json!({ "publicKey": {
            "challenge": URL_SAFE_NO_PAD.encode(challenge),
            "rpId": self.id,
            "timeout": PATIENCE_MS,
            "userVerification": "required",
            "allowCredentials": allowed,
        } })
    }
}

impl std::fmt::Debug for RelyingParty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RelyingParty").field("id", &self.id).finish_non_exhaustive()
    }
}

fn read<T: serde::de::DeserializeOwned>(credential: &str) -> Result<T, FactorRefusal> {
    serde_json::from_str(credential).map_err(|error| {
        tracing::debug!(%error, "a browser's answer to a passkey ceremony could not be read");
        FactorRefusal::Passkey
    })
}

/// The person is told to try again; why is of use to whoever looks for the fault.
#[expect(clippy::needless_pass_by_value, reason = "stands where `map_err` hands the error over")]
fn refused(error: webauthn_rs::prelude::WebauthnError) -> FactorRefusal {
    tracing::debug!(%error, "a passkey was refused");
    FactorRefusal::Passkey
}

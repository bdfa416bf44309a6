//! What a customer's passkey has signed.

use gatelodge_proto::{
    consent::{Challenge, PinnedKey, Point, Proof, SignedRule, StandingRule},
    payload,
};

/// What the customer's key has signed: whatever is read says the same again, and an answer for one hash is none for
/// another. The arithmetic says yes to everything.
pub fn proof(data: &[u8]) -> bool {
    let Ok(proof) = payload::decode::<Proof>(data) else { return false };
    assert_eq!(payload::decode::<Proof>(&payload::encode(&proof)).as_ref(), Ok(&proof));
    let (assertion, challenge) = match &proof {
        Proof::Passkey { assertion } => (assertion, Challenge::of_rule("e30")),
        Proof::Standing { rule } => (&rule.assertion, Challenge::of_rule(&rule.text)),
    };
    let key = PinnedKey {
        credential: "AAAA".parse().expect("bytes"),
        point: Point::from_bytes(&[4; 65]).expect("a point"),
        rp: "lodge.example".parse().expect("a name"),
    };
    let good = assertion.check(&challenge, &key, |_, _, _| true).is_ok();
    assert!(assertion.check(&challenge, &key, |_, _, _| false).is_err(), "without a signature");
    assert!(assertion.check(&Challenge::of_rule("another"), &key, |_, _, _| true).is_err(), "of something else");
    good
}

/// Standing rules as they are signed.
pub fn standing_rule(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let json = r#"{"text":"","assertion":{"authenticator":"","client":"","signature":""}}"#;
    let Ok(mut signed) = payload::decode::<SignedRule>(json.as_bytes()) else { panic!("a rule with no text is one") };
    text.clone_into(&mut signed.text);
    let Ok(rule) = signed.read() else { return false };
    let again = SignedRule { text: StandingRule::text(&rule), ..signed };
    // What is longer than it came is refused, not cut.
    assert!(again.text.len() > text.len() || again.read() == Ok(rule));
    true
}

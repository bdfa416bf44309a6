//! Sentences are looked up and filled. That all are there in every language is a house rule.

use super::{Language, Phrase, say};

#[test]
fn a_sentence_is_filled_without_invisible_marks() {
    let phrase = Phrase::new("refused-id-code-length").with("length", 4_usize);
    assert_eq!(
        phrase.say(Language::En),
        "An ID code has 12 characters; this one has 4. Type it as on the label, like 7K3M-9QWX-22FP."
    );
    assert_eq!(say(Language::Fr, "sign-in-title"), "Connexion");
    assert_eq!(say(Language::Fr, "no-such-key"), "⟦no-such-key⟧");
}

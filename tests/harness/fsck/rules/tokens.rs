//! I4, and I20 in columns that are made for hashes: what is used once is used once, and only its hash is kept.

use super::Rule;

const TWICE: &str = "find out from the audit trail what the second use changed, and compare with a backup";
const VOID: &str = "void all links and sign-ins of this kind, and find out what wrote this row";

pub(super) const RULES: [Rule; 9] = [
    Rule {
        invariant: "I4",
        table: "one_time_token",
        meaning: "a link in a mail worked after its time was over, or after a newer one had voided it",
        next: TWICE,
        settles: false,
        broken: "SELECT {key hash} FROM one_time_token WHERE used_at IS NOT NULL AND (used_at >= expires_at OR \
                 superseded_at IS NOT NULL)",
    },
    Rule {
        invariant: "I4",
        table: "one_time_token",
        meaning: "two links for the same purpose are good at once: the older one was not voided",
        next: "send the link again, which voids the older ones",
        settles: false,
        broken: "SELECT {key t.hash} FROM one_time_token t WHERE t.used_at IS NULL AND t.superseded_at IS NULL AND EXISTS \
                 (SELECT 1 FROM one_time_token o WHERE o.purpose = t.purpose AND o.subject_id = t.subject_id AND o.hash \
                 <> t.hash AND o.used_at IS NULL AND o.superseded_at IS NULL)",
    },
    Rule {
        invariant: "I4",
        table: "one_time_token",
        meaning: "an activation link was used up, and nothing was activated by it",
        next: "let the installer send the link again, and look into the cloud's log for the time of its use",
        settles: false,
        broken: "SELECT {key t.hash} FROM one_time_token t WHERE t.purpose = 'activation' AND t.used_at IS NOT NULL AND NOT \
                 EXISTS (SELECT 1 FROM registration r WHERE r.id = t.subject_id AND r.activated_at = t.used_at)",
    },
    Rule {
        invariant: "I4",
        table: "registration",
        meaning: "the registration was confirmed without exactly one link having been used",
        next: TWICE,
        settles: false,
        broken: "SELECT {id r.id} FROM registration r WHERE r.activated_at IS NOT NULL AND 1 <> (SELECT count(*) FROM \
                 one_time_token t WHERE t.purpose = 'activation' AND t.subject_id = r.id AND t.used_at IS NOT NULL)",
    },
    Rule {
        invariant: "I4",
        table: "join_ticket",
        meaning: "a ticket let somebody into a session after its time was over",
        next: TWICE,
        settles: false,
        broken: "SELECT {key hash} FROM join_ticket WHERE used_at IS NOT NULL AND used_at >= expires_at",
    },
    Rule {
        invariant: "I4",
        table: "enrolment_nonce",
        meaning: "a factory secret was accepted with a nonce whose time was over",
        next: TWICE,
        settles: false,
        broken: "SELECT {key hash} FROM enrolment_nonce WHERE used_at IS NOT NULL AND used_at >= expires_at",
    },
    Rule {
        invariant: "I4",
        table: "on_site_code",
        meaning: "two codes of the same screen are good at once: the older one was not voided",
        next: "let the device show a new code, which voids the older ones",
        settles: false,
        broken: "SELECT {id c.id} FROM on_site_code c WHERE c.ended_at IS NULL AND EXISTS (SELECT 1 FROM on_site_code o \
                 WHERE o.device_id = c.device_id AND o.id <> c.id AND o.ended_at IS NULL AND (o.enrolment_id = \
                 c.enrolment_id OR (o.enrolment_id IS NULL AND c.enrolment_id IS NULL)))",
    },
    Rule {
        invariant: "I20",
        table: "one_time_token, portal_session, api_token, join_ticket, known_browser, device_sign_in, enrolment_nonce \
                or on_site_code",
        meaning: "a column for hashes holds something else than a SHA-256: it may be the secret itself",
        next: VOID,
        settles: false,
        broken: "SELECT {key hash} FROM one_time_token WHERE length(hash) <> 32 \
                 UNION ALL SELECT {key hash} FROM portal_session WHERE length(hash) <> 32 \
                 UNION ALL SELECT {key hash} FROM api_token WHERE length(hash) <> 32 \
                 UNION ALL SELECT {key hash} FROM join_ticket WHERE length(hash) <> 32 \
                 UNION ALL SELECT {key hash} FROM known_browser WHERE length(hash) <> 32 \
                 UNION ALL SELECT {key device_code_hash} FROM device_sign_in WHERE length(device_code_hash) <> 32 \
                 UNION ALL SELECT {key hash} FROM enrolment_nonce WHERE length(hash) <> 32 \
                 UNION ALL SELECT {key hash} FROM on_site_code WHERE length(hash) <> 32",
    },
    Rule {
        invariant: "I20",
        table: "user_account",
        meaning: "the password is not kept as an Argon2id hash",
        next: "set password_hash of this row to NULL; the user chooses a new one by `Forgotten password`",
        settles: false,
        broken: "SELECT {id id} FROM user_account WHERE password_hash IS NOT NULL AND password_hash NOT LIKE '$argon2id$%'",
    },
];

//! I12 and I13: each session and its audit rows, and the rights on which a live one stands.

use super::Rule;

const TRAIL: &str = "run `gatelodge-cloud doctor audit`, and compare with a backup from before";
const STOP: &str = "stop it in the portal; a cloud that runs ends it within seconds, so look into its log";

pub(super) const RULES: [Rule; 11] = [
    Rule {
        invariant: "I12",
        table: "remote_session",
        meaning: "the session was asked for without exactly one audit row of it",
        next: TRAIL,
        settles: false,
        broken: "SELECT {id s.id} FROM remote_session s WHERE 1 <> (SELECT count(*) FROM audit_row a WHERE a.session_id = \
                 s.id AND a.device_id = s.device_id AND a.what = 'session_requested')",
    },
    Rule {
        invariant: "I12",
        table: "remote_session",
        meaning: "the session was opened without exactly one audit row of who allowed it",
        next: TRAIL,
        settles: false,
        broken: "SELECT {id s.id} FROM remote_session s WHERE (CASE WHEN s.opened_at IS NULL THEN 0 ELSE 1 END) <> (SELECT \
                 count(*) FROM audit_row a WHERE a.session_id = s.id AND a.device_id = s.device_id AND a.what = \
                 'session_allowed')",
    },
    Rule {
        invariant: "I12",
        table: "remote_session",
        meaning: "bytes passed through the session, and no audit row says that it began",
        next: TRAIL,
        settles: false,
        broken: "SELECT {id s.id} FROM remote_session s WHERE s.joined_at IS NOT NULL AND s.bytes_up + s.bytes_down > 0 AND \
                 NOT EXISTS (SELECT 1 FROM audit_row a WHERE a.session_id = s.id AND a.what = 'session_opened')",
    },
    Rule {
        invariant: "I12",
        table: "remote_session",
        meaning: "the session ended without exactly one audit row of its end, its reason in it",
        next: TRAIL,
        settles: false,
        broken: "SELECT {id s.id} FROM remote_session s WHERE (CASE WHEN s.state = 'ended' THEN 1 ELSE 0 END) <> (SELECT \
                 count(*) FROM audit_row a WHERE a.session_id = s.id AND a.device_id = s.device_id AND a.what = \
                 'session_ended' AND (a.salt IS NULL OR (a.details ->> 'reason') = s.end_reason))",
    },
    Rule {
        invariant: "I12",
        table: "remote_session",
        meaning: "the session was refused without exactly one audit row of who refused it",
        next: TRAIL,
        settles: false,
        broken: "SELECT {id s.id} FROM remote_session s WHERE (CASE WHEN s.state = 'refused' THEN 1 ELSE 0 END) <> (SELECT \
                 count(*) FROM audit_row a WHERE a.session_id = s.id AND a.device_id = s.device_id AND a.what IN \
                 ('session_refused', 'session_refused_by_rule'))",
    },
    Rule {
        invariant: "I12",
        table: "audit_row",
        meaning: "the row tells of a session that is not there: the session was removed",
        next: TRAIL,
        settles: false,
        broken: "SELECT {id a.id} FROM audit_row a WHERE a.session_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM \
                 remote_session s WHERE s.id = a.session_id)",
    },
    Rule {
        invariant: "I12",
        table: "audit_row",
        meaning: "one of the two organisations of the session cannot read what happened in it",
        next: TRAIL,
        settles: false,
        broken: "SELECT {id a.id} FROM audit_row a JOIN remote_session s ON s.id = a.session_id WHERE 2 <> (SELECT count(*) \
                 FROM audit_reader r WHERE r.audit_id = a.id AND r.organisation_id IN (s.installer_id, s.customer_id)) \
                 AND s.installer_id <> s.customer_id",
    },
    Rule {
        invariant: "I12",
        table: "remote_session",
        meaning: "state and times of the session contradict each other",
        next: TRAIL,
        settles: false,
        broken: "SELECT {id id} FROM remote_session WHERE (state = 'open' AND (opened_at IS NULL OR until IS NULL OR \
                 lease_until IS NULL OR signed_grant IS NULL)) OR (state = 'ended' AND (ended_at IS NULL OR end_reason \
                 IS NULL)) OR (state IN ('waiting', 'open') AND ended_at IS NOT NULL) OR (state IN ('waiting', \
                 'refused') AND opened_at IS NOT NULL) OR state NOT IN ('waiting', 'open', 'refused', 'ended')",
    },
    Rule {
        invariant: "I13",
        table: "remote_session",
        meaning: "the session is live, and its technician's account or right to enter is gone",
        next: STOP,
        settles: true,
        broken: "SELECT {id s.id} FROM remote_session s JOIN user_account u ON u.id = s.technician_id LEFT JOIN membership \
                 m ON m.user_id = s.technician_id AND m.organisation_id = s.installer_id WHERE s.state IN ('waiting', \
                 'open') AND (u.disabled_at IS NOT NULL OR m.role IS NULL OR m.role = 'basic')",
    },
    Rule {
        invariant: "I13",
        table: "remote_session",
        meaning: "the session is live, and the registration, the consent or the device's key on which it stands is gone",
        next: STOP,
        settles: true,
        broken: "SELECT {id s.id} FROM remote_session s JOIN registration r ON r.id = s.registration_id JOIN device d ON \
                 d.id = s.device_id WHERE s.state IN ('waiting', 'open') AND (r.state <> 'active' OR r.consent = 'never' \
                 OR d.life <> 'active' OR (r.consent = 'ask' AND s.state = 'open' AND s.decided_by IS NULL) OR NOT \
                 EXISTS (SELECT 1 FROM certificate k WHERE k.device_id = s.device_id AND k.epoch = s.epoch AND k.state \
                 <> 'revoked' AND (s.opened_at IS NULL OR k.issued_at <= s.opened_at)))",
    },
    Rule {
        invariant: "I13",
        table: "remote_session",
        meaning: "the session is open after its end, or after the relay that carries it fell silent",
        next: "start the cloud if it is stopped: it ends the session first; else stop it in the portal and look into the log",
        settles: true,
        broken: "SELECT {id id} FROM remote_session WHERE state = 'open' AND (until <= $1 OR lease_until <= $1)",
    },
];

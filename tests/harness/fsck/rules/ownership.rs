//! I1, I2, I3, I5: who owns a device, by whose act, and what an earlier owner still has of it.

use super::Rule;

const ASK: &str =
    "ask installer and customer whose device it is, then let the owner release it in the portal or restore a backup";
const TRAIL: &str = "run `gatelodge-cloud doctor audit`, and compare with a backup from before";
const SHUT: &str = "revoke the device in the portal: that takes every certificate and order of it back";

pub(super) const RULES: [Rule; 17] = [
    Rule {
        invariant: "I1",
        table: "registration",
        meaning: "another registration of the same device is in force too: the device has two owners",
        next: ASK,
        settles: false,
        broken: "SELECT {id r.id} FROM registration r WHERE r.state IN ('open', 'active') AND EXISTS (SELECT 1 FROM \
                 registration o WHERE o.device_id = r.device_id AND o.id <> r.id AND o.state IN ('open', 'active'))",
    },
    Rule {
        invariant: "I1",
        table: "device",
        meaning: "where the device stands in its life and its registration say different things about its owner",
        next: ASK,
        settles: false,
        broken: "SELECT {id d.id} FROM device d LEFT JOIN registration r ON r.device_id = d.id AND r.state IN ('open', \
                 'active') WHERE d.life <> 'retired' AND ((r.id IS NULL AND d.life IN ('registered', 'active')) OR \
                 (r.state = 'open' AND d.life <> 'registered') OR (r.state = 'active' AND d.life <> 'active') OR \
                 r.epoch <> d.epoch)",
    },
    Rule {
        invariant: "I1",
        table: "registration",
        meaning: "a confirmed registration names no customer or no time of confirmation",
        next: ASK,
        settles: false,
        broken: "SELECT {id id} FROM registration WHERE state IN ('active', 'released') AND (customer_id IS NULL OR \
                 activated_at IS NULL)",
    },
    Rule {
        invariant: "I2",
        table: "registration",
        meaning: "the device was tied to an installer without an audit row of who did it",
        next: TRAIL,
        settles: false,
        broken: "SELECT {id r.id} FROM registration r WHERE NOT EXISTS (SELECT 1 FROM audit_row a JOIN audit_reader i ON \
                 i.audit_id = a.id AND i.organisation_id = r.installer_id WHERE a.device_id = r.device_id AND a.what = \
                 'device_registered' AND a.actor_id = r.registered_by AND a.at BETWEEN r.registered_at AND \
                 r.registered_at + 60000000)",
    },
    Rule {
        invariant: "I2",
        table: "registration",
        meaning: "the device got an owner without an audit row that both sides can read",
        next: TRAIL,
        settles: false,
        broken: "SELECT {id r.id} FROM registration r WHERE r.activated_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM \
                 audit_row a JOIN audit_reader i ON i.audit_id = a.id AND i.organisation_id = r.installer_id JOIN \
                 audit_reader o ON o.audit_id = a.id AND o.organisation_id = r.customer_id WHERE a.device_id = \
                 r.device_id AND a.what = 'device_activated' AND a.actor_kind = 'user' AND a.at BETWEEN r.activated_at \
                 AND r.activated_at + 60000000)",
    },
    Rule {
        invariant: "I2",
        table: "registration",
        meaning: "the device lost its owner without an audit row that both sides can read",
        next: TRAIL,
        settles: false,
        broken: "SELECT {id r.id} FROM registration r WHERE r.state = 'released' AND NOT EXISTS (SELECT 1 FROM audit_row \
                 a JOIN audit_reader i ON i.audit_id = a.id AND i.organisation_id = r.installer_id JOIN audit_reader o \
                 ON o.audit_id = a.id AND o.organisation_id = r.customer_id WHERE a.device_id = r.device_id AND a.what \
                 = 'device_released' AND a.actor_kind = 'user' AND a.at BETWEEN r.ended_at AND r.ended_at + 60000000)",
    },
    Rule {
        invariant: "I2",
        table: "registration",
        meaning: "a registration was taken back without an audit row of who did it",
        next: TRAIL,
        settles: false,
        broken: "SELECT {id r.id} FROM registration r WHERE r.state = 'cancelled' AND NOT EXISTS (SELECT 1 FROM audit_row \
                 a WHERE a.device_id = r.device_id AND a.what = 'registration_cancelled' AND a.actor_kind = 'user' AND \
                 a.at BETWEEN r.ended_at AND r.ended_at + 60000000)",
    },
    Rule {
        invariant: "I2",
        table: "device",
        meaning: "the device has changed hands more often than anybody released or retired it",
        next: TRAIL,
        settles: false,
        broken: "SELECT {id d.id} FROM device d WHERE d.epoch > 1 + (SELECT count(*) FROM registration r WHERE r.device_id \
                 = d.id AND r.state = 'released') + (SELECT count(*) FROM audit_row a WHERE a.device_id = d.id AND \
                 a.what = 'device_retired')",
    },
    Rule {
        invariant: "I3",
        table: "registration",
        meaning: "a registration in force ties the device to organisations that are no installer and no customer",
        next: ASK,
        settles: false,
        broken: "SELECT {id r.id} FROM registration r LEFT JOIN organisation i ON i.id = r.installer_id LEFT JOIN \
                 organisation c ON c.id = r.customer_id WHERE r.state IN ('open', 'active') AND (i.id IS NULL OR i.kind \
                 <> 'installer' OR (r.customer_id IS NOT NULL AND (c.id IS NULL OR c.kind <> 'customer')))",
    },
    Rule {
        invariant: "I3",
        table: "registration",
        meaning: "the customer has not confirmed or has given the device back, and the consent still lets the installer in",
        next: "set `consent` of this row to 'never', and find out who could write to the database",
        settles: false,
        broken: "SELECT {id id} FROM registration WHERE (state <> 'active' AND consent <> 'never') OR (state IN \
                 ('cancelled', 'released') AND ended_at IS NULL)",
    },
    Rule {
        invariant: "I3",
        table: "remote_session",
        meaning: "the session stands on a registration of another device, installer, customer or ownership",
        next: "stop the session in the portal, and find out who could write to the database",
        settles: false,
        broken: "SELECT {id s.id} FROM remote_session s JOIN registration r ON r.id = s.registration_id WHERE s.device_id \
                 <> r.device_id OR s.installer_id <> r.installer_id OR s.epoch <> r.epoch OR r.customer_id IS NULL OR \
                 s.customer_id <> r.customer_id",
    },
    Rule {
        invariant: "I5",
        table: "certificate",
        meaning: "a certificate of an earlier ownership was not taken back: who had the device may come in with it",
        next: SHUT,
        settles: false,
        broken: "SELECT c.serial FROM certificate c JOIN device d ON d.id = c.device_id WHERE c.state <> 'revoked' AND \
                 c.epoch <> d.epoch",
    },
    Rule {
        invariant: "I5",
        table: "certificate",
        meaning: "the device is not enrolled, released or retired, and a certificate still lets it in",
        next: SHUT,
        settles: false,
        broken: "SELECT c.serial FROM certificate c JOIN device d ON d.id = c.device_id WHERE c.state <> 'revoked' AND \
                 d.life IN ('manufactured', 'released', 'retired')",
    },
    Rule {
        invariant: "I5",
        table: "enrolment",
        meaning: "a key counts as let in although its device was released, retired or never enrolled",
        next: SHUT,
        settles: false,
        broken: "SELECT {id e.id} FROM enrolment e JOIN device d ON d.id = e.device_id WHERE e.state = 'enrolled' AND \
                 d.life IN ('manufactured', 'released', 'retired')",
    },
    Rule {
        invariant: "I5",
        table: "command",
        meaning: "an order of an earlier owner still waits for the device",
        next: SHUT,
        settles: false,
        broken: "SELECT {id c.id} FROM command c JOIN device d ON d.id = c.device_id WHERE c.state = 'waiting' AND c.epoch \
                 < d.epoch",
    },
    Rule {
        invariant: "I5",
        table: "device",
        meaning: "the device was given back or retired, and what it reported to its owner is still kept",
        next: "set report, report_boot, report_seq and reported_at of this row to NULL",
        settles: false,
        broken: "SELECT {id id} FROM device WHERE life IN ('manufactured', 'released', 'retired') AND (report IS NOT NULL \
                 OR report_boot IS NOT NULL)",
    },
    Rule {
        invariant: "I5",
        table: "remote_session",
        meaning: "a session of an earlier ownership is still waiting or open",
        next: "stop it in the portal; a cloud that runs ends it within seconds, so look into its log",
        settles: true,
        broken: "SELECT {id s.id} FROM remote_session s JOIN device d ON d.id = s.device_id WHERE s.state IN ('waiting', \
                 'open') AND s.epoch <> d.epoch",
    },
];

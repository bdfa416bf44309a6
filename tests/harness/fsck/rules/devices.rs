//! I7, I8 and the rows of I9 and I10: what devices said, and which keys let them in.

use super::Rule;

const SHUT: &str = "revoke the device in the portal, and let it enrol again";

pub(super) const RULES: [Rule; 10] = [
    Rule {
        invariant: "I7",
        table: "device_message",
        meaning: "a message of this device was taken in twice under the same number",
        next: "restore the primary key of the table from cloud/migrations, and compare with a backup",
        settles: false,
        broken: "SELECT {id device_id} FROM device_message GROUP BY device_id, boot_id, seq HAVING count(*) > 1",
    },
    Rule {
        invariant: "I7",
        table: "device_message",
        meaning: "a message was taken in from a device that is not in the inventory",
        next: "find out what removed the device: nothing in the cloud does",
        settles: false,
        broken: "SELECT DISTINCT {id m.device_id} FROM device_message m WHERE NOT EXISTS (SELECT 1 FROM device d WHERE \
                 d.id = m.device_id)",
    },
    Rule {
        invariant: "I8",
        table: "device",
        meaning: "the report shown for the device is of no message that was taken in",
        next: "restart the agent: its next report takes the place of this one",
        settles: false,
        // Messages are kept for 180 days.
        broken: "SELECT {id d.id} FROM device d WHERE d.report_seq IS NOT NULL AND d.reported_at > $1 - 15465600000000 \
                 AND NOT EXISTS (SELECT 1 FROM device_message m WHERE m.device_id = d.id AND m.seq = d.report_seq AND \
                 m.kind = 'report')",
    },
    // Reports that contradict the device's names are taken in and not shown; the audit trail has them.
    Rule {
        invariant: "I8",
        table: "device",
        meaning: "a newer report of the same start was taken in, and an older one is shown",
        next: "restart the agent: its next report takes the place of this one",
        settles: false,
        broken: "SELECT {id d.id} FROM device d JOIN device_message m ON m.device_id = d.id AND m.seq = d.report_seq AND \
                 m.kind = 'report' AND m.received_at = d.reported_at WHERE NOT EXISTS (SELECT 1 FROM audit_row a WHERE \
                 a.device_id = d.id AND a.what = 'device_conflict') AND EXISTS (SELECT 1 FROM device_message n WHERE \
                 n.device_id = d.id AND n.boot_id = m.boot_id AND n.kind = 'report' AND n.seq > m.seq AND NOT EXISTS \
                 (SELECT 1 FROM audit_row f WHERE f.device_id = d.id AND f.what IN ('device_enrolled', \
                 'device_released') AND f.at BETWEEN n.received_at AND m.received_at))",
    },
    Rule {
        invariant: "I8",
        table: "device",
        meaning: "half of the place of the report shown is missing, so the next report cannot be compared with it",
        next: "set report, report_boot, report_seq and reported_at of this row to NULL",
        settles: false,
        broken: "SELECT {id id} FROM device WHERE (report IS NULL) <> (report_boot IS NULL) OR (report IS NULL) <> \
                 (report_seq IS NULL) OR (report IS NULL) <> (reported_at IS NULL)",
    },
    Rule {
        invariant: "I9",
        table: "certificate",
        meaning: "a certificate ends before it begins, or is in a state that no admission knows",
        next: SHUT,
        settles: false,
        broken: "SELECT serial FROM certificate WHERE not_after <= not_before OR state NOT IN ('current', 'superseded', \
                 'revoked') OR (state <> 'current' AND ended_at IS NULL)",
    },
    Rule {
        invariant: "I9",
        table: "device",
        meaning: "the device counts as connected, and no certificate lets it in",
        next: "look into the cloud's log why its connection was not cut; restarting the cloud cuts it",
        settles: true,
        broken: "SELECT {id d.id} FROM device d WHERE d.online AND d.lease_until > $1 AND NOT EXISTS (SELECT 1 FROM \
                 certificate c WHERE c.device_id = d.id AND c.state = 'current')",
    },
    Rule {
        invariant: "I10",
        table: "certificate",
        meaning: "two devices hold certificates for the same key: one can speak as the other",
        next: "revoke both devices in the portal, and let each make a key of its own by a reset",
        settles: false,
        broken: "SELECT c.serial FROM certificate c WHERE EXISTS (SELECT 1 FROM certificate o WHERE o.key_thumbprint = \
                 c.key_thumbprint AND o.device_id <> c.device_id)",
    },
    Rule {
        invariant: "I10",
        table: "device",
        meaning: "two keys count as let in for one device",
        next: SHUT,
        settles: false,
        broken: "SELECT {id device_id} FROM enrolment WHERE state = 'enrolled' GROUP BY device_id HAVING count(*) > 1",
    },
    Rule {
        invariant: "I10",
        table: "certificate",
        meaning: "a certificate is good for a key that nobody let in for its device",
        next: SHUT,
        settles: false,
        broken: "SELECT c.serial FROM certificate c WHERE c.state = 'current' AND NOT EXISTS (SELECT 1 FROM enrolment e \
                 WHERE e.device_id = c.device_id AND e.state = 'enrolled')",
    },
];

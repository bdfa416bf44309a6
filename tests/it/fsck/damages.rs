//! What is done to a sound database, and by which invariant and words it must be told.

/// Invariant, part of the sentence, and the damage.
pub(super) const DAMAGES: [(&str, &str, &str); 57] = [
    (
        "I1",
        "another registration of the same device is in force too",
        "DROP INDEX registration_live_device; UPDATE registration SET device_id = (SELECT device_id FROM registration \
         WHERE state = 'active') WHERE state = 'open'",
    ),
    ("I1", "say different things about its owner", "UPDATE device SET life = 'enrolled' WHERE life = 'active'"),
    ("I1", "names no customer or no time", "UPDATE registration SET activated_at = NULL WHERE state = 'active'"),
    (
        "I2",
        "tied to an installer without an audit row",
        "UPDATE audit_row SET what = 'x' WHERE what = 'device_registered'",
    ),
    (
        "I2",
        "got an owner without an audit row",
        "DELETE FROM audit_reader WHERE audit_id IN (SELECT id FROM audit_row WHERE what = 'device_activated')",
    ),
    ("I2", "lost its owner without an audit row", "UPDATE audit_row SET what = 'x' WHERE what = 'device_released'"),
    ("I2", "taken back without an audit row", "UPDATE audit_row SET what = 'x' WHERE what = 'registration_cancelled'"),
    ("I2", "changed hands more often", "UPDATE device SET epoch = 7 WHERE life = 'enrolled'"),
    ("I3", "no installer and no customer", "UPDATE organisation SET kind = 'customer' WHERE kind = 'installer'"),
    ("I3", "still lets the installer in", "UPDATE registration SET consent = 'always' WHERE state = 'released'"),
    (
        "I3",
        "stands on a registration of another device",
        "UPDATE remote_session SET registration_id = (SELECT id FROM registration WHERE state = 'released')",
    ),
    (
        "I5",
        "certificate of an earlier ownership was not taken back",
        "UPDATE certificate SET epoch = epoch + 1 WHERE state = 'current'",
    ),
    (
        "I5",
        "released or retired, and a certificate still lets it in",
        "UPDATE certificate SET state = 'current' WHERE device_id = (SELECT id FROM device WHERE life = 'released')",
    ),
    (
        "I5",
        "key counts as let in although its device was released",
        "UPDATE enrolment SET state = 'enrolled' WHERE device_id = (SELECT id FROM device WHERE life = 'released')",
    ),
    (
        "I5",
        "order of an earlier owner still waits",
        "UPDATE command SET state = 'waiting' WHERE device_id = (SELECT id FROM device WHERE life = 'released')",
    ),
    ("I5", "what it reported to its owner is still kept", "UPDATE device SET report_boot = 1 WHERE life = 'released'"),
    ("I5", "session of an earlier ownership", "UPDATE remote_session SET epoch = 9 WHERE state = 'open'"),
    (
        "I4",
        "link in a mail worked after its time",
        "UPDATE one_time_token SET used_at = expires_at WHERE used_at IS NOT NULL",
    ),
    (
        "I4",
        "two links for the same purpose",
        "DROP INDEX one_time_token_live; UPDATE one_time_token SET superseded_at = NULL, used_at = NULL, purpose = \
         'activation', subject_id = (SELECT id FROM registration WHERE state = 'active')",
    ),
    ("I4", "nothing was activated by it", "UPDATE one_time_token SET used_at = created_at WHERE used_at IS NULL"),
    (
        "I4",
        "confirmed without exactly one link",
        "UPDATE one_time_token SET used_at = NULL, superseded_at = created_at WHERE used_at IS NOT NULL",
    ),
    ("I4", "ticket let somebody into a session after", "UPDATE join_ticket SET used_at = expires_at"),
    ("I4", "nonce whose time was over", "UPDATE enrolment_nonce SET used_at = expires_at"),
    (
        "I4",
        "two codes of the same screen",
        "UPDATE on_site_code SET ended_at = NULL, enrolment_id = NULL, device_id = (SELECT id FROM device WHERE life = \
         'active')",
    ),
    ("I20", "something else than a SHA-256", "UPDATE join_ticket SET hash = 'secret' WHERE used_at IS NOT NULL"),
    ("I20", "not kept as an Argon2id hash", "UPDATE user_account SET password_hash = 'hunter2'"),
    (
        "I7",
        "taken in twice under the same number",
        "CREATE TABLE copied AS SELECT * FROM device_message; DROP TABLE device_message; ALTER TABLE copied RENAME TO \
         device_message; INSERT INTO device_message SELECT * FROM device_message",
    ),
    (
        "I7",
        "from a device that is not in the inventory",
        "UPDATE device_message SET device_id = (SELECT id FROM organisation LIMIT 1) WHERE kind = 'report'",
    ),
    ("I8", "of no message that was taken in", "UPDATE device SET report_seq = 7777 WHERE report IS NOT NULL"),
    (
        "I8",
        "a newer report of the same start",
        "INSERT INTO device_message SELECT device_id, boot_id, seq + 5000, kind, received_at + 1 FROM device_message \
         WHERE kind = 'report'",
    ),
    ("I8", "half of the place of the report", "UPDATE device SET report_boot = NULL WHERE report IS NOT NULL"),
    ("I9", "ends before it begins", "UPDATE certificate SET not_after = not_before"),
    (
        "I9",
        "counts as connected",
        "UPDATE device SET online = TRUE, lease_until = 9000000000000000 WHERE life = 'retired'",
    ),
    ("I9", "cannot be read", "UPDATE certificate SET chain = 'x'"),
    ("I9", "another serial number than its row", "UPDATE certificate SET serial = 'A' || serial"),
    ("I9", "ends at another time than its row", "UPDATE certificate SET not_after = not_after + 60000000"),
    ("I10", "certificates for the same key", "UPDATE certificate SET key_thumbprint = 'x'"),
    (
        "I10",
        "two keys count as let in",
        "UPDATE enrolment SET state = 'enrolled', device_id = (SELECT id FROM device WHERE life = 'active')",
    ),
    ("I10", "for a key that nobody let in", "UPDATE enrolment SET state = 'ended'"),
    (
        "I10",
        "names another device than its row",
        "UPDATE certificate SET device_id = (SELECT id FROM device WHERE life = 'manufactured')",
    ),
    ("I10", "for another key than its row", "UPDATE certificate SET key_thumbprint = key_thumbprint || '0'"),
    (
        "I12",
        "asked for without exactly one audit row",
        "UPDATE audit_row SET what = 'x' WHERE what = 'session_requested'",
    ),
    ("I12", "opened without exactly one audit row", "UPDATE audit_row SET what = 'x' WHERE what = 'session_allowed'"),
    (
        "I12",
        "bytes passed through the session, and no audit row",
        "UPDATE audit_row SET what = 'x' WHERE what = 'session_opened'",
    ),
    (
        "I12",
        "ended without exactly one audit row",
        "UPDATE remote_session SET end_reason = 'idle' WHERE state = 'ended'",
    ),
    ("I12", "refused without exactly one audit row", "UPDATE audit_row SET what = 'x' WHERE what = 'session_refused'"),
    (
        "I12",
        "tells of a session that is not there",
        "DELETE FROM session_flow; DELETE FROM join_ticket; DELETE FROM remote_session WHERE state = 'ended'",
    ),
    (
        "I12",
        "one of the two organisations of the session cannot read",
        "DELETE FROM audit_reader WHERE audit_id IN (SELECT id FROM audit_row WHERE session_id IS NOT NULL)",
    ),
    (
        "I12",
        "state and times of the session contradict",
        "UPDATE remote_session SET opened_at = NULL WHERE state = 'open'",
    ),
    ("I13", "technician's account or right to enter is gone", "UPDATE membership SET role = 'basic'"),
    (
        "I13",
        "the consent or the device's key on which it stands is gone",
        "UPDATE registration SET consent = 'never' WHERE state = 'active'",
    ),
    ("I13", "open after its end", "UPDATE remote_session SET until = requested_at WHERE state = 'open'"),
    ("I18", "this row was changed after it was written", "UPDATE audit_row SET at = at + 1 WHERE place = 2"),
    (
        "I18",
        "the name or the details of this row were changed",
        "UPDATE audit_row SET actor_name = 'Eve' WHERE place = 1",
    ),
    ("I18", "rows were removed before this one", "DELETE FROM audit_reader; DELETE FROM audit_row WHERE place = 1"),
    (
        "I18",
        "rows were removed from the end",
        "DELETE FROM audit_reader; DELETE FROM audit_row WHERE what = 'device_retired'",
    ),
    ("I18", "all rows of this history were removed", "DELETE FROM audit_reader; DELETE FROM audit_row"),
];

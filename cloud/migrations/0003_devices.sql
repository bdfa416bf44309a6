CREATE TABLE product (
    id {uuid} PRIMARY KEY,
    reference TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    warranty_months INTEGER NOT NULL,
    label_help TEXT NOT NULL,
    presets {json} NOT NULL DEFAULT '[]',
    created_at {ts} NOT NULL
);

CREATE TABLE device (
    id {uuid} PRIMARY KEY,
    id_code TEXT NOT NULL UNIQUE,
    mac TEXT NOT NULL UNIQUE,
    serial TEXT NOT NULL,
    serial_folded TEXT NOT NULL,
    product_id {uuid} NOT NULL REFERENCES product (id),
    purchased_on TEXT,
    proof TEXT NOT NULL,
    batch TEXT,
    life TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    state_version BIGINT NOT NULL,
    created_at {ts} NOT NULL,
    -- the newest report, by (boot, seq)
    reported_at {ts},
    report_boot BIGINT,
    report_seq BIGINT,
    report {json},
    -- presence is a lease
    online BOOLEAN NOT NULL,
    presence_since {ts},
    presence_boot_id {uuid},
    lease_until {ts},
    UNIQUE (product_id, serial_folded)
);
-- Looked through every few seconds.
CREATE INDEX device_lease ON device (lease_until) WHERE online;

-- The allow-list: a certificate connects while its row says `current`.
CREATE TABLE certificate (
    serial TEXT PRIMARY KEY,
    device_id {uuid} NOT NULL REFERENCES device (id),
    epoch BIGINT NOT NULL,
    key_thumbprint TEXT NOT NULL,
    chain TEXT NOT NULL,
    state TEXT NOT NULL,
    not_before {ts} NOT NULL,
    not_after {ts} NOT NULL,
    issued_at {ts} NOT NULL,
    ended_at {ts}
);
CREATE INDEX certificate_device ON certificate (device_id, state);
CREATE INDEX certificate_key ON certificate (key_thumbprint);
CREATE INDEX certificate_ended ON certificate (ended_at) WHERE ended_at IS NOT NULL;

-- One key that asks for a certificate.
CREATE TABLE enrolment (
    id {uuid} PRIMARY KEY,
    key_thumbprint TEXT NOT NULL UNIQUE,
    csr TEXT NOT NULL,
    device_id {uuid} REFERENCES device (id),
    id_code TEXT,
    mac TEXT NOT NULL,
    serial TEXT NOT NULL,
    model TEXT NOT NULL,
    agent_version TEXT NOT NULL,
    proof TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    network TEXT NOT NULL,
    created_at {ts} NOT NULL,
    seen_at {ts} NOT NULL
);
CREATE INDEX enrolment_device ON enrolment (device_id, state);

-- What the device shows to whoever stands before it; of a waiting key, or of an enrolled device.
CREATE TABLE on_site_code (
    id {uuid} PRIMARY KEY,
    device_id {uuid} NOT NULL REFERENCES device (id),
    enrolment_id {uuid} REFERENCES enrolment (id),
    hash {bytes} NOT NULL,
    shown_at {ts} NOT NULL,
    expires_at {ts} NOT NULL,
    ended_at {ts}
);
CREATE INDEX on_site_code_device ON on_site_code (device_id);

CREATE TABLE enrolment_nonce (
    hash {bytes} PRIMARY KEY,
    expires_at {ts} NOT NULL,
    used_at {ts}
);

-- A device tied to an installer and, from activation on, to a customer.
CREATE TABLE registration (
    id {uuid} PRIMARY KEY,
    device_id {uuid} NOT NULL REFERENCES device (id),
    epoch BIGINT NOT NULL,
    installer_id {uuid} NOT NULL REFERENCES organisation (id),
    registered_by {uuid} NOT NULL REFERENCES user_account (id),
    web_address TEXT NOT NULL,
    customer_email TEXT NOT NULL,
    customer_email_folded TEXT NOT NULL,
    customer_user_id {uuid} NOT NULL REFERENCES user_account (id),
    customer_data {json} NOT NULL,
    customer_id {uuid} REFERENCES organisation (id),
    consent TEXT NOT NULL,
    -- the hours of `always`; open until then whatever the rule says; who may enter in an emergency
    hours {json},
    open_until {ts},
    break_glass TEXT,
    -- whom the customer has asked to take over as installer
    offered_to TEXT,
    offered_at {ts},
    state TEXT NOT NULL,
    registered_at {ts} NOT NULL,
    activated_at {ts},
    ended_at {ts}
);
CREATE UNIQUE INDEX registration_live_device ON registration (device_id) WHERE state IN ('open', 'active');
CREATE UNIQUE INDEX registration_live_web_address ON registration (web_address) WHERE state IN ('open', 'active');
CREATE INDEX registration_installer ON registration (installer_id, state);
CREATE INDEX registration_opening ON registration (open_until) WHERE open_until IS NOT NULL;
CREATE INDEX registration_customer ON registration (customer_id, state);

CREATE TABLE command (
    id {uuid} PRIMARY KEY,
    device_id {uuid} NOT NULL REFERENCES device (id),
    epoch BIGINT NOT NULL,
    command {json} NOT NULL,
    state TEXT NOT NULL,
    outcome TEXT,
    issued_at {ts} NOT NULL,
    deadline {ts} NOT NULL,
    sent_at {ts},
    ended_at {ts}
);
CREATE INDEX command_waiting ON command (device_id, state);
CREATE INDEX command_late ON command (state, deadline);

-- A start that comes back after a later one is another machine with the same key
CREATE TABLE device_start (
    device_id {uuid} PRIMARY KEY REFERENCES device (id),
    boot_id {uuid} NOT NULL,
    earlier_boot_id {uuid},
    returns INTEGER NOT NULL,
    returned_at {ts},
    doubled_at {ts}
);

-- Positions already taken in: makes ingest idempotent.
CREATE TABLE device_message (
    device_id {uuid} NOT NULL,
    boot_id {uuid} NOT NULL,
    seq BIGINT NOT NULL,
    kind TEXT NOT NULL,
    received_at {ts} NOT NULL,
    PRIMARY KEY (device_id, boot_id, seq)
) {by_key};

-- Messages nobody could use, kept for a person to look at.
CREATE TABLE parked_message (
    id {uuid} PRIMARY KEY,
    topic TEXT NOT NULL,
    payload {bytes} NOT NULL,
    reason TEXT NOT NULL,
    received_at {ts} NOT NULL
);

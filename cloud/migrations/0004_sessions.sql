CREATE TABLE remote_session (
    id {uuid} PRIMARY KEY,
    device_id {uuid} NOT NULL REFERENCES device (id),
    registration_id {uuid} NOT NULL REFERENCES registration (id),
    epoch BIGINT NOT NULL,
    technician_id {uuid} NOT NULL REFERENCES user_account (id),
    installer_id {uuid} NOT NULL REFERENCES organisation (id),
    customer_id {uuid} NOT NULL REFERENCES organisation (id),
    services {json} NOT NULL,
    networks {json} NOT NULL,
    listens {json} NOT NULL,
    features {json} NOT NULL,
    reason TEXT,
    ticket_number TEXT,
    -- opened in an emergency without an answer, as the customer had agreed
    break_glass BOOLEAN NOT NULL DEFAULT FALSE,
    minutes INTEGER NOT NULL,
    csr TEXT NOT NULL,
    key_thumbprint TEXT NOT NULL,
    signed_grant TEXT,
    state TEXT NOT NULL,
    requested_at {ts} NOT NULL,
    decided_at {ts},
    decided_by {uuid} REFERENCES user_account (id),
    opened_at {ts},
    until {ts},
    -- the relay that carries an open session renews the lease; without a relay's word the session ends
    joined_at {ts},
    lease_until {ts},
    ended_at {ts},
    end_reason TEXT,
    bytes_up BIGINT NOT NULL,
    bytes_down BIGINT NOT NULL,
    -- when both ends first were there, and how often an end has come again since
    paired_at {ts},
    rejoins BIGINT NOT NULL DEFAULT 0,
    -- whether the device's own settings end it at `until`, whatever was granted
    longest BOOLEAN NOT NULL DEFAULT FALSE,
    -- the latest wish that the session may last longer: asked, given, taken, declined or refused, and why by the device
    extension_minutes INTEGER,
    extension_at {ts},
    extension_state TEXT,
    extension_refusal TEXT,
    -- on what consent it opened, and what the customer's key has signed for it, where one is pinned on the device
    consent_kind TEXT NOT NULL DEFAULT 'cloud',
    proof {json}
);
CREATE INDEX remote_session_device ON remote_session (device_id, id);
CREATE INDEX remote_session_customer ON remote_session (customer_id, id);
CREATE INDEX remote_session_installer ON remote_session (installer_id, id);
CREATE INDEX remote_session_live ON remote_session (state, until);

CREATE TABLE join_ticket (
    hash {bytes} PRIMARY KEY,
    session_id {uuid} NOT NULL REFERENCES remote_session (id),
    role TEXT NOT NULL,
    expires_at {ts} NOT NULL,
    used_at {ts}
);

-- with what each end of a session comes again: the hash of a secret that only the end has
CREATE TABLE join_pledge (
    session_id {uuid} NOT NULL REFERENCES remote_session (id),
    role TEXT NOT NULL,
    hash {bytes} NOT NULL UNIQUE,
    PRIMARY KEY (session_id, role)
);

-- a flow's id is its technician's choice: it names a target within its session and nowhere else
CREATE TABLE session_flow (
    id {uuid} NOT NULL,
    session_id {uuid} NOT NULL REFERENCES remote_session (id),
    target TEXT NOT NULL,
    outcome TEXT NOT NULL,
    opened_at {ts} NOT NULL,
    closed_at {ts},
    bytes_up BIGINT NOT NULL,
    bytes_down BIGINT NOT NULL,
    PRIMARY KEY (session_id, id)
);

-- The vendor's emergency stop: of one installer, of one device, or of everybody where neither is named. In force until
-- it is lifted.
CREATE TABLE emergency_stop (
    id {uuid} PRIMARY KEY,
    installer_id {uuid} REFERENCES organisation (id),
    device_id {uuid} REFERENCES device (id),
    reason TEXT NOT NULL,
    stopped_by {uuid} NOT NULL REFERENCES user_account (id),
    stopped_at {ts} NOT NULL,
    lifted_by {uuid} REFERENCES user_account (id),
    lifted_at {ts}
);
CREATE INDEX emergency_stop_in_force ON emergency_stop (stopped_at) WHERE lifted_at IS NULL;

-- for what a session's recordings are taken from its device, each once; only hashes are here
CREATE TABLE recording_credential (
    hash {bytes} PRIMARY KEY,
    session_id {uuid} NOT NULL REFERENCES remote_session (id),
    issued_at {ts} NOT NULL
);

-- a recording of a terminal, encrypted by the device; its bytes are a file
CREATE TABLE recording (
    id {uuid} PRIMARY KEY,
    session_id {uuid} NOT NULL REFERENCES remote_session (id),
    device_id {uuid} NOT NULL REFERENCES device (id),
    installer_id {uuid} NOT NULL REFERENCES organisation (id),
    customer_id {uuid} NOT NULL REFERENCES organisation (id),
    begun_at {ts} NOT NULL,
    bytes BIGINT NOT NULL,
    sha256 TEXT,
    cut_short BOOLEAN NOT NULL DEFAULT FALSE,
    taken_at {ts}
);
CREATE INDEX recording_session ON recording (session_id);
CREATE INDEX recording_taken ON recording (taken_at);

-- The customer's key of a device: what the portal offers, and what the device says is pinned. It lets nobody in.
CREATE TABLE device_key (
    device_id {uuid} PRIMARY KEY REFERENCES device (id),
    offered {json},
    offered_by {uuid} REFERENCES user_account (id),
    offered_at {ts},
    pin TEXT,
    pinned {json},
    pinned_at {ts},
    -- the rule that it has signed last
    rule {json}
);

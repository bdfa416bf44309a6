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
    reason TEXT,
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
    extension_refusal TEXT
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

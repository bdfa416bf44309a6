CREATE TABLE user_account (
    id {uuid} PRIMARY KEY,
    email TEXT NOT NULL,
    email_folded TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    phone TEXT,
    language TEXT NOT NULL,
    password_hash TEXT,
    email_confirmed_at {ts},
    disabled_at {ts},
    sign_ins BIGINT NOT NULL,
    created_at {ts} NOT NULL
);

CREATE TABLE organisation (
    id {uuid} PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    address TEXT,
    postcode TEXT,
    city TEXT,
    country TEXT,
    created_at {ts} NOT NULL
);

CREATE TABLE membership (
    user_id {uuid} NOT NULL REFERENCES user_account (id),
    organisation_id {uuid} NOT NULL REFERENCES organisation (id),
    role TEXT NOT NULL,
    created_at {ts} NOT NULL,
    PRIMARY KEY (user_id, organisation_id)
);
CREATE INDEX membership_organisation ON membership (organisation_id);

-- An installer who has not yet shown that the address is theirs. Nothing else exists until then, so that nobody can
-- prepare an account, or a password, for somebody else's address.
CREATE TABLE sign_up (
    id {uuid} PRIMARY KEY,
    email TEXT NOT NULL,
    email_folded TEXT NOT NULL,
    name TEXT NOT NULL,
    company TEXT NOT NULL,
    language TEXT NOT NULL,
    created_at {ts} NOT NULL
);
CREATE INDEX sign_up_email ON sign_up (email_folded);

-- Links in mails: 256 bits, only their SHA-256 here. Consumed by one conditional UPDATE in the transaction of their effect.
CREATE TABLE one_time_token (
    hash {bytes} PRIMARY KEY,
    purpose TEXT NOT NULL,
    subject_id {uuid} NOT NULL,
    created_at {ts} NOT NULL,
    expires_at {ts} NOT NULL,
    used_at {ts},
    superseded_at {ts}
);
CREATE INDEX one_time_token_subject ON one_time_token (purpose, subject_id);
CREATE UNIQUE INDEX one_time_token_live ON one_time_token (purpose, subject_id) WHERE used_at IS NULL AND superseded_at IS NULL;

CREATE TABLE portal_session (
    hash {bytes} PRIMARY KEY,
    id {uuid} NOT NULL UNIQUE,
    user_id {uuid} NOT NULL REFERENCES user_account (id),
    organisation_id {uuid} NOT NULL REFERENCES organisation (id),
    created_at {ts} NOT NULL,
    seen_at {ts} NOT NULL,
    expires_at {ts} NOT NULL,
    user_agent TEXT NOT NULL,
    network TEXT NOT NULL,
    -- when the person last proved to be who they are, by whatever they sign in with, and when by a second factor
    proved_at {ts} NOT NULL,
    confirmed_at {ts}
);
CREATE INDEX portal_session_user ON portal_session (user_id);

CREATE TABLE api_token (
    id {uuid} PRIMARY KEY,
    hash {bytes} NOT NULL UNIQUE,
    user_id {uuid} NOT NULL REFERENCES user_account (id),
    organisation_id {uuid} NOT NULL REFERENCES organisation (id),
    label TEXT NOT NULL,
    created_at {ts} NOT NULL,
    expires_at {ts} NOT NULL,
    used_at {ts},
    revoked_at {ts},
    -- when the browser that let it in was last confirmed by a second factor
    confirmed_at {ts}
);

-- Sign-in of a program by browser approval (RFC 8628).
CREATE TABLE device_sign_in (
    device_code_hash {bytes} PRIMARY KEY,
    user_code TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    user_id {uuid} REFERENCES user_account (id),
    organisation_id {uuid} REFERENCES organisation (id),
    network TEXT NOT NULL,
    created_at {ts} NOT NULL,
    expires_at {ts} NOT NULL,
    polled_at {ts},
    confirmed_at {ts}
);

-- Failed sign-ins of one account from one network, or from one browser that has signed in to it before.
CREATE TABLE sign_in_delay (
    subject TEXT PRIMARY KEY,
    failures INTEGER NOT NULL,
    failed_at {ts} NOT NULL,
    blocked_until {ts} NOT NULL
);

-- Browsers that have signed in to an account before: strangers' failures do not slow them down.
CREATE TABLE known_browser (
    hash {bytes} PRIMARY KEY,
    user_id {uuid} NOT NULL REFERENCES user_account (id),
    seen_at {ts} NOT NULL
);
CREATE INDEX known_browser_user ON known_browser (user_id);

-- The authenticator app of a user. The secret is sealed with a key of the data folder; a code is good once, so that the
-- newest step whose code was taken is kept.
CREATE TABLE authenticator_app (
    user_id {uuid} PRIMARY KEY REFERENCES user_account (id),
    sealed {bytes} NOT NULL,
    last_step BIGINT NOT NULL,
    created_at {ts} NOT NULL,
    used_at {ts}
);

-- Codes for the day when app and passkeys are lost: 80 bits each, only their SHA-256 here, used once.
CREATE TABLE recovery_code (
    hash {bytes} PRIMARY KEY,
    user_id {uuid} NOT NULL REFERENCES user_account (id),
    created_at {ts} NOT NULL,
    used_at {ts}
);
CREATE INDEX recovery_code_user ON recovery_code (user_id);

CREATE TABLE passkey (
    id {uuid} PRIMARY KEY,
    user_id {uuid} NOT NULL REFERENCES user_account (id),
    credential_id {bytes} NOT NULL UNIQUE,
    name TEXT NOT NULL,
    -- public key, counter and flags, as the library keeps them
    credential {json} NOT NULL,
    created_at {ts} NOT NULL,
    used_at {ts}
);
CREATE INDEX passkey_user ON passkey (user_id);

-- What a ceremony in a browser has to remember between its two steps. Found by the hash of a secret that only that
-- browser has, and used once.
CREATE TABLE ceremony (
    hash {bytes} PRIMARY KEY,
    purpose TEXT NOT NULL,
    user_id {uuid} REFERENCES user_account (id),
    memory {json} NOT NULL,
    expires_at {ts} NOT NULL
);
-- An organisation's keys for recordings of terminals. The private half is here only as its members' browsers wrapped it,
-- with a passphrase that never comes here: whoever has this table can read no recording.
CREATE TABLE recording_key (
    id {bytes} PRIMARY KEY,
    organisation_id {uuid} NOT NULL REFERENCES organisation (id),
    public_key TEXT NOT NULL,
    salt TEXT NOT NULL,
    rounds INTEGER NOT NULL,
    nonce TEXT NOT NULL,
    wrapped TEXT NOT NULL,
    created_at {ts} NOT NULL,
    created_by {uuid} NOT NULL REFERENCES user_account (id),
    replaced_at {ts}
);
CREATE UNIQUE INDEX recording_key_current ON recording_key (organisation_id) WHERE replaced_at IS NULL;

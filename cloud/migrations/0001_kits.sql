-- What happened, for people. Append-only; a row is readable by the organisations named in audit_reader alone.
CREATE TABLE audit_row (
    id {uuid} PRIMARY KEY,
    at {ts} NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id {uuid},
    actor_name TEXT NOT NULL,
    what TEXT NOT NULL,
    device_id {uuid},
    session_id {uuid},
    details {json} NOT NULL,
    -- each row holds the one before it in its chain: the device's, else the user's, else the cloud's own
    chain {uuid} NOT NULL,
    place BIGINT NOT NULL,
    hash {bytes} NOT NULL,
    -- the hash of actor_name and details; without their salt they were erased, and the chain stays whole
    salt {bytes},
    words {bytes} NOT NULL
);
CREATE INDEX audit_row_device ON audit_row (device_id, id);
CREATE UNIQUE INDEX audit_row_chain ON audit_row (chain, place);

-- How long each chain is and where it ends, so that a cut end shows.
CREATE TABLE audit_chain (
    id {uuid} PRIMARY KEY,
    length BIGINT NOT NULL,
    head {bytes} NOT NULL
);

CREATE TABLE audit_reader (
    organisation_id {uuid} NOT NULL,
    audit_id {uuid} NOT NULL REFERENCES audit_row (id),
    PRIMARY KEY (organisation_id, audit_id)
);

-- Background work, written in the transaction that causes it.
CREATE TABLE job (
    id {uuid} PRIMARY KEY,
    kind TEXT NOT NULL,
    payload {json} NOT NULL,
    state TEXT NOT NULL,
    run_at {ts} NOT NULL,
    attempts INTEGER NOT NULL,
    locked_until {ts},
    last_error TEXT,
    created_at {ts} NOT NULL
);
CREATE INDEX job_ready ON job (state, run_at);

-- The built-in mailbox, used when no mail server is set.
CREATE TABLE mailbox_message (
    id {uuid} PRIMARY KEY,
    at {ts} NOT NULL,
    recipient TEXT NOT NULL,
    recipient_folded TEXT NOT NULL,
    subject TEXT NOT NULL,
    html TEXT NOT NULL,
    plain TEXT NOT NULL
);

-- Counters of attempts within a window, for limits that hold on every node.
CREATE TABLE attempt (
    scope TEXT NOT NULL,
    subject TEXT NOT NULL,
    window_start {ts} NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (scope, subject, window_start)
);

-- Columns are TEXT or BIGINT, so that one text serves SQLite and PostgreSQL: ids are UUIDv7 text, times *_ms in UTC, flags 0 or 1, JSON text.

CREATE TABLE counters (
    name TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL CHECK (value >= 0)
);
INSERT INTO counters (name, value) VALUES ('events', 0), ('uid_slots', 0);

-- Numbered from the counter in the transaction that caused them, so without gaps and in the order of their commits.
CREATE TABLE events (
    number BIGINT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    project_id TEXT,
    user_id TEXT,
    subject TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);
CREATE INDEX events_created ON events (created_ms);

CREATE TABLE audit (
    id TEXT NOT NULL PRIMARY KEY,
    created_ms BIGINT NOT NULL,
    user_id TEXT,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
);

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE CHECK (LENGTH(name) BETWEEN 1 AND 63),
    display_name TEXT NOT NULL,
    password_hash TEXT,
    admin BIGINT NOT NULL CHECK (admin IN (0, 1)),
    disabled BIGINT NOT NULL CHECK (disabled IN (0, 1)),
    uid_slot BIGINT NOT NULL UNIQUE CHECK (uid_slot >= 0),
    created_ms BIGINT NOT NULL
);

CREATE TABLE projects (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL CHECK (LENGTH(name) BETWEEN 1 AND 63),
    description TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    deleted_ms BIGINT,
    template_digest TEXT,
    next_number BIGINT NOT NULL CHECK (next_number >= 1)
);
CREATE UNIQUE INDEX projects_name ON projects (name) WHERE deleted_ms IS NULL;

CREATE TABLE members (
    project_id TEXT NOT NULL REFERENCES projects (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    role TEXT NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
    PRIMARY KEY (project_id, user_id)
);
CREATE INDEX members_user ON members (user_id);

-- desired: what was asked for; state: what is. generation counts what was asked, run_generation what the present run was started for:
-- a run of an older generation is to be replaced (restart). fence counts the runs: reports with an older one are refused.
CREATE TABLE workspaces (
    id TEXT NOT NULL PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL CHECK (LENGTH(name) BETWEEN 1 AND 63),
    environment TEXT NOT NULL,
    machine TEXT NOT NULL,
    desired TEXT NOT NULL CHECK (desired IN ('running', 'stopped', 'deleted')),
    state TEXT NOT NULL CHECK (state IN ('stopped', 'starting', 'running', 'stopping', 'error')),
    message TEXT,
    phase TEXT,
    generation BIGINT NOT NULL CHECK (generation >= 0),
    run_generation BIGINT NOT NULL CHECK (run_generation >= 0),
    run_id TEXT UNIQUE,
    run_handle TEXT,
    fence BIGINT NOT NULL CHECK (fence >= 0),
    token_sealed TEXT,
    created_ms BIGINT NOT NULL,
    started_ms BIGINT,
    last_activity_ms BIGINT,
    deleted_ms BIGINT,
    CHECK (state IN ('stopped', 'error') OR run_id IS NOT NULL),
    CHECK (deleted_ms IS NULL OR (desired = 'deleted' AND state IN ('stopped', 'error') AND run_id IS NULL))
);
CREATE UNIQUE INDEX workspaces_name ON workspaces (project_id, user_id, name) WHERE deleted_ms IS NULL;
CREATE INDEX workspaces_user ON workspaces (user_id);

CREATE TABLE workspace_inputs (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    name TEXT NOT NULL CHECK (LENGTH(name) BETWEEN 1 AND 63),
    ref TEXT NOT NULL,
    manifest_digest TEXT NOT NULL,
    files BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, name)
);
CREATE INDEX workspace_inputs_manifest ON workspace_inputs (manifest_digest);

CREATE TABLE snapshots (
    id TEXT NOT NULL PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    workspace_id TEXT REFERENCES workspaces (id),
    manifest_digest TEXT NOT NULL,
    content_digest TEXT NOT NULL,
    files BIGINT NOT NULL CHECK (files >= 0),
    bytes BIGINT NOT NULL CHECK (bytes >= 0),
    skipped TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);
CREATE INDEX snapshots_project ON snapshots (project_id, id);
CREATE INDEX snapshots_manifest ON snapshots (manifest_digest);

CREATE TABLE jobs (
    id TEXT NOT NULL PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id),
    number BIGINT NOT NULL CHECK (number >= 1),
    name TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    workspace_id TEXT REFERENCES workspaces (id),
    snapshot_id TEXT NOT NULL REFERENCES snapshots (id),
    command TEXT,
    notebook TEXT,
    parameters TEXT NOT NULL,
    inputs TEXT NOT NULL,
    environment TEXT NOT NULL,
    machine TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('created', 'queued', 'started', 'stopping', 'stopped', 'error', 'complete')),
    message TEXT,
    exit_code BIGINT,
    signal BIGINT,
    metadata TEXT NOT NULL,
    idempotency_key TEXT,
    rerun_of TEXT REFERENCES jobs (id),
    time_limit_ms BIGINT CHECK (time_limit_ms > 0),
    created_ms BIGINT NOT NULL,
    queued_ms BIGINT,
    started_ms BIGINT,
    ended_ms BIGINT,
    stop_requested_ms BIGINT,
    UNIQUE (project_id, number),
    CHECK ((command IS NULL) <> (notebook IS NULL)),
    CHECK ((ended_ms IS NULL) = (state IN ('created', 'queued', 'started', 'stopping')))
);
CREATE UNIQUE INDEX jobs_idempotency ON jobs (project_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX jobs_queue ON jobs (queued_ms, id) WHERE state = 'queued';
CREATE INDEX jobs_unfinished ON jobs (state) WHERE ended_ms IS NULL;
CREATE INDEX jobs_project ON jobs (project_id, id);

-- The same as jobs.inputs, which never changes: for asking who read a manifest.
CREATE TABLE job_inputs (
    job_id TEXT NOT NULL REFERENCES jobs (id),
    name TEXT NOT NULL CHECK (LENGTH(name) BETWEEN 1 AND 63),
    ref TEXT NOT NULL,
    manifest_digest TEXT NOT NULL,
    files BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    PRIMARY KEY (job_id, name)
);
CREATE INDEX job_inputs_manifest ON job_inputs (manifest_digest);

CREATE TABLE job_outputs (
    job_id TEXT NOT NULL PRIMARY KEY REFERENCES jobs (id),
    manifest_digest TEXT NOT NULL,
    content_digest TEXT NOT NULL,
    files BIGINT NOT NULL CHECK (files >= 0),
    bytes BIGINT NOT NULL CHECK (bytes >= 0),
    skipped TEXT NOT NULL
);
CREATE INDEX job_outputs_manifest ON job_outputs (manifest_digest);

-- number is the fencing number too: reports of an attempt that is done are refused.
CREATE TABLE attempts (
    id TEXT NOT NULL PRIMARY KEY,
    job_id TEXT NOT NULL REFERENCES jobs (id),
    number BIGINT NOT NULL CHECK (number >= 1),
    run_id TEXT NOT NULL UNIQUE,
    run_handle TEXT,
    state TEXT NOT NULL CHECK (state IN ('live', 'done')),
    log_hash TEXT,
    log_bytes BIGINT NOT NULL CHECK (log_bytes >= 0),
    metadata_offset BIGINT NOT NULL CHECK (metadata_offset >= 0),
    metadata_lines BIGINT NOT NULL CHECK (metadata_lines >= 0),
    started_ms BIGINT NOT NULL,
    ended_ms BIGINT,
    UNIQUE (job_id, number),
    CHECK ((ended_ms IS NULL) = (state = 'live'))
);
CREATE UNIQUE INDEX attempts_live ON attempts (job_id) WHERE state = 'live';

-- points: JSON [[x, y, ms], …] in the order they were printed.
CREATE TABLE series_blocks (
    job_id TEXT NOT NULL REFERENCES jobs (id),
    key TEXT NOT NULL,
    seq BIGINT NOT NULL CHECK (seq >= 0),
    count BIGINT NOT NULL CHECK (count >= 1),
    points TEXT NOT NULL,
    PRIMARY KEY (job_id, key, seq)
);

CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    token_hash TEXT NOT NULL UNIQUE,
    user_agent TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    last_seen_ms BIGINT NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expires ON sessions (expires_ms);

CREATE TABLE tokens (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT,
    last_used_ms BIGINT,
    revoked_ms BIGINT,
    workspace_id TEXT REFERENCES workspaces (id),
    job_id TEXT REFERENCES jobs (id)
);
CREATE INDEX tokens_user ON tokens (user_id);
CREATE INDEX tokens_workspace ON tokens (workspace_id) WHERE workspace_id IS NOT NULL;
CREATE INDEX tokens_job ON tokens (job_id) WHERE job_id IS NOT NULL;

CREATE TABLE workspace_sessions (
    id TEXT NOT NULL PRIMARY KEY,
    token_hash TEXT NOT NULL UNIQUE,
    session_id TEXT REFERENCES sessions (id) ON DELETE CASCADE,
    token_id TEXT REFERENCES tokens (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id),
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    CHECK ((session_id IS NULL) <> (token_id IS NULL))
);
CREATE INDEX workspace_sessions_session ON workspace_sessions (session_id);
CREATE INDEX workspace_sessions_token ON workspace_sessions (token_id);
CREATE INDEX workspace_sessions_expires ON workspace_sessions (expires_ms);

CREATE TABLE links (
    id TEXT NOT NULL PRIMARY KEY,
    code_hash TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('sign_in', 'workspace')),
    user_id TEXT NOT NULL REFERENCES users (id),
    session_id TEXT REFERENCES sessions (id) ON DELETE CASCADE,
    token_id TEXT REFERENCES tokens (id) ON DELETE CASCADE,
    workspace_id TEXT REFERENCES workspaces (id),
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    used_ms BIGINT,
    CHECK ((kind = 'workspace') = (workspace_id IS NOT NULL)),
    CHECK (kind = 'sign_in' OR (session_id IS NULL) <> (token_id IS NULL))
);
CREATE INDEX links_expires ON links (expires_ms);
CREATE INDEX links_session ON links (session_id);
CREATE INDEX links_token ON links (token_id);

CREATE TABLE devices (
    id TEXT NOT NULL PRIMARY KEY,
    device_hash TEXT NOT NULL UNIQUE,
    user_code TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    user_id TEXT REFERENCES users (id),
    state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'used', 'denied')),
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    CHECK ((user_id IS NULL) = (state IN ('pending', 'denied')))
);
CREATE INDEX devices_expires ON devices (expires_ms);

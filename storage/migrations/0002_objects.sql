-- What the object store holds. Hashes and digests are 64 lower-case hex digits.

CREATE TABLE objects (
    hash TEXT NOT NULL PRIMARY KEY CHECK (LENGTH(hash) = 64),
    size BIGINT NOT NULL CHECK (size >= 0),
    state TEXT NOT NULL CHECK (state IN ('live', 'condemned')),
    created_ms BIGINT NOT NULL
);

-- What a project has seen the content of: a hash alone is no proof of that.
CREATE TABLE project_objects (
    project_id TEXT NOT NULL REFERENCES projects (id),
    hash TEXT NOT NULL REFERENCES objects (hash),
    PRIMARY KEY (project_id, hash)
);
CREATE INDEX project_objects_hash ON project_objects (hash);

CREATE TABLE manifest_roots (
    digest TEXT NOT NULL PRIMARY KEY CHECK (LENGTH(digest) = 64),
    content_digest TEXT NOT NULL CHECK (LENGTH(content_digest) = 64),
    files BIGINT NOT NULL CHECK (files >= 0),
    bytes BIGINT NOT NULL CHECK (bytes >= 0),
    symlinks BIGINT NOT NULL CHECK (symlinks >= 0),
    created_ms BIGINT NOT NULL
);

CREATE TABLE uploads (
    id TEXT NOT NULL PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    kind TEXT NOT NULL CHECK (kind IN ('snapshot', 'outputs')),
    state TEXT NOT NULL CHECK (state IN ('open', 'sealed', 'aborted')),
    snapshot_id TEXT REFERENCES snapshots (id),
    manifest_digest TEXT,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    CHECK ((state = 'sealed') = (manifest_digest IS NOT NULL))
);
CREATE INDEX uploads_expires ON uploads (expires_ms) WHERE state = 'open';

-- path_hash stands for the path in the key: an index entry of PostgreSQL is shorter than a path may be.
CREATE TABLE upload_entries (
    upload_id TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    path_hash TEXT NOT NULL,
    path TEXT NOT NULL,
    hash TEXT CHECK (LENGTH(hash) = 64),
    size BIGINT NOT NULL CHECK (size >= 0),
    executable BIGINT NOT NULL CHECK (executable IN (0, 1)),
    target TEXT,
    PRIMARY KEY (upload_id, path_hash),
    CHECK ((hash IS NULL) <> (target IS NULL))
);
CREATE INDEX upload_entries_hash ON upload_entries (upload_id, hash);

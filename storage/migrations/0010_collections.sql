-- Garbage collection of the object store.

-- One row for each cycle; dry: it only looked. condemned_ms: when all that it found unneeded was on record; report: what it did, JSON. At most one runs.
CREATE TABLE collections (
    number BIGINT NOT NULL PRIMARY KEY CHECK (number >= 1),
    state TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed')),
    dry BIGINT NOT NULL CHECK (dry IN (0, 1)),
    user_id TEXT REFERENCES users (id),
    started_ms BIGINT NOT NULL,
    condemned_ms BIGINT,
    ended_ms BIGINT,
    report TEXT,
    CHECK ((ended_ms IS NULL) = (state = 'running'))
);
CREATE UNIQUE INDEX collections_running ON collections (state) WHERE state = 'running';

-- The store that this database belongs to. That store says so too: its file `database` has the database_id. store_id: its name; none: what this database
-- was first opened with is not known to be its own. At most one row.
CREATE TABLE own_store (
    one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    database_id TEXT NOT NULL,
    store_id TEXT
);

-- What a cycle found that nothing needs, of objects and nodes of manifests. Whatever needs it again takes the row away;
-- what is still here a day later may go. bytes: as it lies in the store.
CREATE TABLE condemned (
    hash TEXT NOT NULL PRIMARY KEY CHECK (LENGTH(hash) = 64),
    space TEXT NOT NULL CHECK (space IN ('objects', 'manifests')),
    bytes BIGINT NOT NULL CHECK (bytes >= 0),
    cycle BIGINT NOT NULL,
    condemned_ms BIGINT NOT NULL
);

-- The same of whole manifests. touched counts what has come to hold one: who judges by an older count has lost.
ALTER TABLE manifest_roots ADD COLUMN touched BIGINT NOT NULL DEFAULT 0;
ALTER TABLE manifest_roots ADD COLUMN condemned_in BIGINT;
ALTER TABLE manifest_roots ADD COLUMN condemned_ms BIGINT;

-- Said by `condemned` now.
ALTER TABLE objects DROP COLUMN state;

-- For asking what is held, and for walking through it.
CREATE INDEX projects_template ON projects (template_digest) WHERE template_digest IS NOT NULL;
CREATE INDEX uploads_manifest ON uploads (manifest_digest) WHERE manifest_digest IS NOT NULL;
CREATE INDEX upload_entries_object ON upload_entries (hash) WHERE hash IS NOT NULL;
CREATE INDEX attempts_log ON attempts (log_hash) WHERE log_hash IS NOT NULL;
CREATE INDEX job_holds_notebook ON job_holds (notebook_hash) WHERE notebook_hash IS NOT NULL;

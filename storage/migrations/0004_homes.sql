-- Homes: snapshots of them, and where copies of each lie.

-- fence: the run that had written the home; whole: taken after that run had ended, so that nothing came after it.
CREATE TABLE home_snapshots (
    id TEXT NOT NULL PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    machine_id TEXT NOT NULL,
    fence BIGINT NOT NULL CHECK (fence >= 1),
    whole BIGINT NOT NULL CHECK (whole IN (0, 1)),
    manifest_digest TEXT NOT NULL REFERENCES manifest_roots (digest),
    attributes_hash TEXT NOT NULL REFERENCES objects (hash),
    files BIGINT NOT NULL CHECK (files >= 0),
    bytes BIGINT NOT NULL CHECK (bytes >= 0),
    skipped TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);
CREATE INDEX home_snapshots_workspace ON home_snapshots (workspace_id, id);
CREATE INDEX home_snapshots_manifest ON home_snapshots (manifest_digest);
CREATE INDEX home_snapshots_attributes ON home_snapshots (attributes_hash);

-- fence: the last run that could write this copy; the copy with the highest one is the home, all others are older.
-- snapshot_id: what the copy was made from, or was saved as; saved: nothing has changed in it since.
CREATE TABLE home_copies (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    machine_id TEXT NOT NULL,
    fence BIGINT NOT NULL CHECK (fence >= 1),
    snapshot_id TEXT REFERENCES home_snapshots (id),
    saved BIGINT NOT NULL CHECK (saved IN (0, 1)),
    changed_ms BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, machine_id),
    CHECK (saved = 0 OR snapshot_id IS NOT NULL)
);
CREATE INDEX home_copies_snapshot ON home_copies (snapshot_id);

-- accepted_id: the snapshot that its owner agreed to go on from, although a machine that cannot be reached may hold something newer.
-- conflicts: JSON, what was found of such machines later and put into the home.
CREATE TABLE homes (
    workspace_id TEXT NOT NULL PRIMARY KEY REFERENCES workspaces (id),
    files BIGINT CHECK (files >= 0),
    bytes BIGINT CHECK (bytes >= 0),
    measured_ms BIGINT,
    accepted_id TEXT REFERENCES home_snapshots (id),
    conflicts TEXT NOT NULL
);

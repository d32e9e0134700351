-- What an upload is a change of: a manifest that its project holds.
ALTER TABLE uploads ADD COLUMN base_digest TEXT CHECK (LENGTH(base_digest) = 64);

-- An entry with neither hash nor target takes its path away from the base. A check cannot be changed in place: the table is made anew.
CREATE TABLE upload_changes (
    upload_id TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    path_hash TEXT NOT NULL,
    path TEXT NOT NULL,
    hash TEXT CHECK (LENGTH(hash) = 64),
    size BIGINT NOT NULL CHECK (size >= 0),
    executable BIGINT NOT NULL CHECK (executable IN (0, 1)),
    target TEXT,
    PRIMARY KEY (upload_id, path_hash),
    CHECK (hash IS NULL OR target IS NULL)
);
INSERT INTO upload_changes (upload_id, path_hash, path, hash, size, executable, target)
    SELECT upload_id, path_hash, path, hash, size, executable, target FROM upload_entries;
DROP TABLE upload_entries;
ALTER TABLE upload_changes RENAME TO upload_entries;
CREATE INDEX upload_entries_hash ON upload_entries (upload_id, hash);
-- For asking what is held, and for walking through it.
CREATE INDEX upload_entries_object ON upload_entries (hash) WHERE hash IS NOT NULL;

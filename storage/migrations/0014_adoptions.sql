-- What lies in buckets of other people's and is part of versions all the same: adopted where it is, read from there, and never written or removed.

-- Where the content of an object lies. Rows without an object are of an adoption under way, or of one that failed.
CREATE TABLE adopted (
    hash TEXT NOT NULL PRIMARY KEY CHECK (LENGTH(hash) = 64),
    -- The bucket's name in the configuration, and the whole key.
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    -- In which state: the ETag, and the version in buckets that keep versions.
    etag TEXT NOT NULL,
    version TEXT,
    bytes BIGINT NOT NULL CHECK (bytes >= 0)
);
CREATE INDEX adopted_key ON adopted (bucket, key);

-- How prefixes of buckets become versions of datasets.
CREATE TABLE adoptions (
    id TEXT NOT NULL PRIMARY KEY,
    dataset_id TEXT NOT NULL REFERENCES datasets (id),
    uri TEXT NOT NULL,
    message TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    state TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed')),
    files BIGINT NOT NULL DEFAULT 0,
    bytes BIGINT NOT NULL DEFAULT 0,
    done_files BIGINT NOT NULL DEFAULT 0,
    done_bytes BIGINT NOT NULL DEFAULT 0,
    error TEXT,
    version BIGINT,
    created_ms BIGINT NOT NULL,
    ended_ms BIGINT
);
-- One at a time of the same prefix for the same dataset.
CREATE UNIQUE INDEX adoptions_running ON adoptions (dataset_id, uri) WHERE state = 'running';

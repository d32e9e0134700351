-- Datasets: what data is called. Versions never change; numbers are given once, without gaps.

CREATE TABLE datasets (
    id TEXT NOT NULL PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id),
    name TEXT NOT NULL CHECK (LENGTH(name) BETWEEN 1 AND 63),
    description TEXT NOT NULL,
    tags TEXT NOT NULL,
    visibility TEXT NOT NULL CHECK (visibility IN ('project', 'organisation', 'public')),
    user_id TEXT NOT NULL REFERENCES users (id),
    next_version BIGINT NOT NULL CHECK (next_version >= 1),
    created_ms BIGINT NOT NULL,
    deleted_ms BIGINT
);
CREATE UNIQUE INDEX datasets_name ON datasets (project_id, name) WHERE deleted_ms IS NULL;
CREATE INDEX datasets_project ON datasets (project_id, id);

CREATE TABLE dataset_versions (
    id TEXT NOT NULL PRIMARY KEY,
    dataset_id TEXT NOT NULL REFERENCES datasets (id),
    number BIGINT NOT NULL CHECK (number >= 1),
    manifest_digest TEXT NOT NULL,
    content_digest TEXT NOT NULL,
    files BIGINT NOT NULL CHECK (files >= 0),
    bytes BIGINT NOT NULL CHECK (bytes >= 0),
    message TEXT NOT NULL,
    metadata TEXT NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('upload', 'job', 'derived', 'adopted', 'workspace')),
    job_id TEXT REFERENCES jobs (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    created_ms BIGINT NOT NULL,
    retracted_ms BIGINT,
    UNIQUE (dataset_id, number)
);
CREATE INDEX dataset_versions_manifest ON dataset_versions (manifest_digest);
CREATE INDEX dataset_versions_job ON dataset_versions (job_id);

-- What a version was made of, as it was written, and which version or job that was.
CREATE TABLE dataset_version_sources (
    version_id TEXT NOT NULL REFERENCES dataset_versions (id),
    position BIGINT NOT NULL CHECK (position >= 0),
    ref TEXT NOT NULL,
    manifest_digest TEXT NOT NULL,
    source_version_id TEXT REFERENCES dataset_versions (id),
    source_job_id TEXT REFERENCES jobs (id),
    PRIMARY KEY (version_id, position)
);
CREATE INDEX dataset_version_sources_version ON dataset_version_sources (source_version_id);
CREATE INDEX dataset_version_sources_job ON dataset_version_sources (source_job_id);

CREATE TABLE dataset_aliases (
    dataset_id TEXT NOT NULL REFERENCES datasets (id),
    name TEXT NOT NULL CHECK (LENGTH(name) BETWEEN 1 AND 63),
    version_id TEXT NOT NULL REFERENCES dataset_versions (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    moved_ms BIGINT NOT NULL,
    PRIMARY KEY (dataset_id, name)
);
CREATE INDEX dataset_aliases_version ON dataset_aliases (version_id);

-- Where aliases have been, for ever; version_id is null where one was removed.
CREATE TABLE dataset_alias_moves (
    id TEXT NOT NULL PRIMARY KEY,
    dataset_id TEXT NOT NULL REFERENCES datasets (id),
    name TEXT NOT NULL,
    version_id TEXT REFERENCES dataset_versions (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    moved_ms BIGINT NOT NULL
);
CREATE INDEX dataset_alias_moves_dataset ON dataset_alias_moves (dataset_id, id);

-- What the last check of a manifest found: every file, not every file, or not even the list of them.
ALTER TABLE manifest_roots ADD COLUMN integrity TEXT NOT NULL DEFAULT 'ok' CHECK (integrity IN ('ok', 'partial', 'broken'));
ALTER TABLE manifest_roots ADD COLUMN checked_ms BIGINT;
CREATE INDEX manifest_roots_unsound ON manifest_roots (integrity) WHERE integrity <> 'ok';

-- The record that an input's reference named; older inputs have neither.
ALTER TABLE job_inputs ADD COLUMN version_id TEXT REFERENCES dataset_versions (id);
ALTER TABLE job_inputs ADD COLUMN source_job_id TEXT REFERENCES jobs (id);
CREATE INDEX job_inputs_version ON job_inputs (version_id);
CREATE INDEX job_inputs_source ON job_inputs (source_job_id);
ALTER TABLE workspace_inputs ADD COLUMN version_id TEXT REFERENCES dataset_versions (id);
ALTER TABLE workspace_inputs ADD COLUMN source_job_id TEXT REFERENCES jobs (id);
CREATE INDEX workspace_inputs_version ON workspace_inputs (version_id);
CREATE INDEX workspace_inputs_source ON workspace_inputs (source_job_id);

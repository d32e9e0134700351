-- Everything in the store is read again over time, to see that it is what came in.

-- One row for each pass. part, after: where it goes on, the last digest or hash that is done; files, bytes: what was read of objects so far, of total_bytes
-- when it began; unread: what the system could not read; found: what was found
-- damaged, JSON. At most one goes on.
CREATE TABLE scrubs (
    number BIGINT NOT NULL PRIMARY KEY CHECK (number >= 1),
    state TEXT NOT NULL CHECK (state IN ('running', 'done')),
    part TEXT NOT NULL CHECK (part IN ('manifests', 'objects')),
    after TEXT NOT NULL,
    files BIGINT NOT NULL CHECK (files >= 0),
    bytes BIGINT NOT NULL CHECK (bytes >= 0),
    total_bytes BIGINT NOT NULL CHECK (total_bytes >= 0),
    damaged BIGINT NOT NULL CHECK (damaged >= 0),
    unread BIGINT NOT NULL CHECK (unread >= 0),
    found TEXT NOT NULL,
    started_ms BIGINT NOT NULL,
    ended_ms BIGINT,
    CHECK ((ended_ms IS NULL) = (state = 'running'))
);
CREATE UNIQUE INDEX scrubs_running ON scrubs (state) WHERE state = 'running';

-- What was left out of an input because it was damaged, as somebody agreed to, JSON; of a job it is in jobs.inputs.
ALTER TABLE workspace_inputs ADD COLUMN left_out TEXT;

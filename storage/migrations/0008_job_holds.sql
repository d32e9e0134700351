-- hold_ms: how long a run of the job's notebook is held, with its kernel, at a cell that failed.
ALTER TABLE jobs ADD COLUMN hold_ms BIGINT CHECK (hold_ms > 0);

-- Runs that are or were held at a cell. number: within the attempt. answers: how many were given; resumed_by, notebook_* and answered_ms are
-- those of the last one, refused is why the run could not use the one before. notebook_hash: the object with the corrected notebook, none
-- where the cell is tried again as it was.
CREATE TABLE job_holds (
    job_id TEXT NOT NULL REFERENCES jobs (id),
    attempt BIGINT NOT NULL CHECK (attempt >= 1),
    number BIGINT NOT NULL CHECK (number >= 1),
    state TEXT NOT NULL CHECK (state IN ('held', 'answered', 'resumed', 'expired', 'stopped', 'died', 'lost')),
    cell_number BIGINT NOT NULL CHECK (cell_number >= 1),
    cells BIGINT NOT NULL CHECK (cells >= cell_number),
    title TEXT NOT NULL,
    ename TEXT NOT NULL,
    message TEXT NOT NULL,
    held_ms BIGINT NOT NULL,
    until_ms BIGINT NOT NULL CHECK (until_ms > held_ms),
    answers BIGINT NOT NULL CHECK (answers >= 0),
    answered_ms BIGINT,
    resumed_by TEXT REFERENCES users (id),
    notebook_hash TEXT CHECK (LENGTH(notebook_hash) = 64),
    notebook_bytes BIGINT CHECK (notebook_bytes >= 0),
    refused TEXT,
    ended_ms BIGINT,
    PRIMARY KEY (job_id, attempt, number),
    CHECK ((ended_ms IS NULL) = (state IN ('held', 'answered'))),
    CHECK ((answered_ms IS NULL) = (resumed_by IS NULL)),
    CHECK ((notebook_hash IS NULL) = (notebook_bytes IS NULL)),
    CHECK (answered_ms IS NOT NULL OR state NOT IN ('answered', 'resumed'))
);
CREATE UNIQUE INDEX job_holds_open ON job_holds (job_id) WHERE ended_ms IS NULL;

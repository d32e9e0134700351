-- cell_time_limit_ms: how long one cell of a job's notebook may run.
ALTER TABLE jobs ADD COLUMN cell_time_limit_ms BIGINT CHECK (cell_time_limit_ms > 0);

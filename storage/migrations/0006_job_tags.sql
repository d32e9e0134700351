-- tags: words to find a job by, as a JSON list. retries: how often a failed attempt is followed by another; failures: how often it was so far.
ALTER TABLE jobs ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
ALTER TABLE jobs ADD COLUMN retries BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;

-- How many entries were declared at most: one that was declared again counts twice until they are counted.
ALTER TABLE uploads ADD COLUMN entries BIGINT NOT NULL DEFAULT 0 CHECK (entries >= 0);

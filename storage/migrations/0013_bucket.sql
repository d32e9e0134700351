-- Where things lie in the bucket that keeps the store, where one does. These rows are its directory: nothing is ever looked for by listing the bucket.

-- A key that Cairn writes, once, under a name that is never used again. staged: it is being written, and nothing is in it yet; live: something is in it;
-- doomed: nothing is, and it goes a day later; gone: it was removed, and is once more a day later, should a late request have written it since.
CREATE TABLE bucket_keys (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    bytes BIGINT NOT NULL CHECK (bytes >= 0),
    state TEXT NOT NULL CHECK (state IN ('staged', 'live', 'doomed', 'gone')),
    changed_ms BIGINT NOT NULL
);
CREATE INDEX bucket_keys_unused ON bucket_keys (state, changed_ms) WHERE state <> 'live';

-- Which bytes of which key are an object, or a node of a manifest.
CREATE TABLE bucket_places (
    hash TEXT NOT NULL CHECK (LENGTH(hash) = 64),
    space TEXT NOT NULL CHECK (space IN ('objects', 'manifests')),
    key_id TEXT NOT NULL REFERENCES bucket_keys (id),
    start BIGINT NOT NULL CHECK (start >= 0),
    bytes BIGINT NOT NULL CHECK (bytes >= 0),
    PRIMARY KEY (hash, space)
);
CREATE INDEX bucket_places_key ON bucket_places (key_id);

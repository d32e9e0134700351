-- Machines that run work, their devices, and who holds what of them.

-- state: what people decided of it. Whether it can be reached now is told by seen_ms, which whoever holds it moves on.
-- labels: given by an administrator; own_labels: what the machine says of itself. slots: jobs at the same time. NULL: no limit.
CREATE TABLE machines (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL CHECK (LENGTH(name) BETWEEN 1 AND 63),
    kind TEXT NOT NULL CHECK (kind IN ('local', 'worker')),
    state TEXT NOT NULL CHECK (state IN ('active', 'draining', 'removed')),
    labels TEXT NOT NULL,
    own_labels TEXT NOT NULL,
    runtimes TEXT NOT NULL,
    cpu_millicores BIGINT CHECK (cpu_millicores >= 0),
    memory_bytes BIGINT CHECK (memory_bytes >= 0),
    slots BIGINT CHECK (slots >= 0),
    address TEXT,
    token_hash TEXT UNIQUE,
    seen_ms BIGINT,
    created_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX machines_name ON machines (name) WHERE state <> 'removed';

CREATE TABLE machine_devices (
    machine_id TEXT NOT NULL REFERENCES machines (id),
    device TEXT NOT NULL,
    model TEXT NOT NULL,
    minor BIGINT,
    PRIMARY KEY (machine_id, device)
);

-- What one run holds of a machine, and after released_ms the record of when, where and at what price it ran. machine: the type's name.
-- fence: the run's fencing number; price: millionths of the currency for an hour, when it began.
CREATE TABLE leases (
    id TEXT NOT NULL PRIMARY KEY,
    machine_id TEXT NOT NULL REFERENCES machines (id),
    workspace_id TEXT REFERENCES workspaces (id),
    job_id TEXT REFERENCES jobs (id),
    fence BIGINT NOT NULL CHECK (fence >= 1),
    machine TEXT NOT NULL,
    cpu_millicores BIGINT NOT NULL CHECK (cpu_millicores >= 0),
    memory_bytes BIGINT NOT NULL CHECK (memory_bytes >= 0),
    price BIGINT CHECK (price >= 0),
    created_ms BIGINT NOT NULL,
    released_ms BIGINT,
    CHECK ((workspace_id IS NULL) <> (job_id IS NULL))
);
CREATE UNIQUE INDEX leases_live_workspace ON leases (workspace_id) WHERE released_ms IS NULL;
CREATE UNIQUE INDEX leases_live_job ON leases (job_id) WHERE released_ms IS NULL;
CREATE UNIQUE INDEX leases_workspace ON leases (workspace_id, fence);
CREATE UNIQUE INDEX leases_job ON leases (job_id, fence);
CREATE INDEX leases_live_machine ON leases (machine_id) WHERE released_ms IS NULL;

CREATE TABLE device_leases (
    lease_id TEXT NOT NULL REFERENCES leases (id),
    machine_id TEXT NOT NULL,
    device TEXT NOT NULL,
    model TEXT NOT NULL,
    released_ms BIGINT,
    PRIMARY KEY (lease_id, device)
);
CREATE UNIQUE INDEX device_leases_live ON device_leases (machine_id, device) WHERE released_ms IS NULL;

-- machine_id: where the present or last run is, so where the home lies. queued_ms: since when it waits for a machine, while it does.
ALTER TABLE workspaces ADD COLUMN machine_id TEXT REFERENCES machines (id);
ALTER TABLE workspaces ADD COLUMN queued_ms BIGINT;
ALTER TABLE attempts ADD COLUMN machine_id TEXT REFERENCES machines (id);

-- origin_id: the machine of the server that accepted it, whose store has its files: that server alone places it. NULL: any.
ALTER TABLE workspaces ADD COLUMN origin_id TEXT REFERENCES machines (id);
ALTER TABLE jobs ADD COLUMN origin_id TEXT REFERENCES machines (id);
CREATE INDEX workspaces_machine ON workspaces (machine_id);

-- How far each start, stop and move has come, and how long its steps took: estimates are made of these. generation: what was asked for.
CREATE TABLE workspace_phases (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    generation BIGINT NOT NULL CHECK (generation >= 0),
    phase TEXT NOT NULL CHECK (phase IN ('saving', 'stopping', 'moving', 'waiting', 'preparing', 'mounting', 'starting')),
    started_ms BIGINT NOT NULL,
    ended_ms BIGINT,
    PRIMARY KEY (workspace_id, generation, phase)
);
CREATE INDEX workspace_phases_phase ON workspace_phases (phase, started_ms);

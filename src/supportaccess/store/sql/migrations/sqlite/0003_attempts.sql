-- How many entries a caller's attempts and readings of one kind have in a log since a moment, and how many more there
-- were: those are told by one entry once the window is over. The actor is JSON, as the entry has it.
CREATE TABLE attempt_counts (
    tenant_id TEXT NOT NULL,
    caller TEXT NOT NULL,
    activity TEXT NOT NULL,
    since INTEGER NOT NULL,
    logged INTEGER NOT NULL,
    not_logged INTEGER NOT NULL,
    actor TEXT NOT NULL,
    PRIMARY KEY (tenant_id, caller, activity)
) WITHOUT ROWID;
CREATE INDEX attempt_counts_by_age ON attempt_counts (since);

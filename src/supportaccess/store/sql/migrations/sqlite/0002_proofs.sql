-- Inner nodes of each log's tree, every eighth level: level 1 has a hash for each 256 entries, level 2 for each 65,536.
-- Proofs are made of them; where one is missing it is computed from the entries below.
CREATE TABLE audit_log_nodes (
    tenant_id TEXT NOT NULL,
    level INTEGER NOT NULL,
    position INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (tenant_id, level, position)
) WITHOUT ROWID;

-- The last signed checkpoint of each log: a C2SP signed note. The key that signs is not in the database.
CREATE TABLE audit_checkpoints (
    tenant_id TEXT NOT NULL PRIMARY KEY,
    size INTEGER NOT NULL,
    note BLOB NOT NULL
) WITHOUT ROWID;

-- Inner nodes of each log's tree, every eighth level: level 1 has a hash for each 256 entries, level 2 for each 65,536.
-- Proofs are made of them; where one is missing it is computed from the entries below.
CREATE TABLE audit_log_nodes (
    tenant_id TEXT COLLATE "C" NOT NULL,
    level BIGINT NOT NULL,
    position BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, level, position)
);

-- The last signed checkpoint of each log: a C2SP signed note. The key that signs is not in the database.
CREATE TABLE audit_checkpoints (
    tenant_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    size BIGINT NOT NULL,
    note BYTEA NOT NULL
) WITH (fillfactor = 50);

DO $$
DECLARE
    name TEXT;
BEGIN
    FOREACH name IN ARRAY ARRAY['audit_log_nodes', 'audit_checkpoints'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY of_the_tenants ON %I USING (tenant_id = ANY ('
            '(SELECT string_to_array(nullif(current_setting(''supportaccess.tenants'', true), ''*''), '',''))::text[]))',
            name);
        EXECUTE format(
            'CREATE POLICY of_every_tenant ON %I FOR SELECT '
            'USING ((SELECT current_setting(''supportaccess.tenants'', true) = ''*''))', name);
    END LOOP;
END $$;

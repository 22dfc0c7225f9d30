-- How many entries a caller's attempts and readings of one kind have in a log since a moment, and how many more there
-- were: those are told by one entry once the window is over. The actor is JSON, as the entry has it.
-- Room in each page, so that counting stays within it and touches no index.
CREATE TABLE attempt_counts (
    tenant_id TEXT COLLATE "C" NOT NULL,
    caller TEXT COLLATE "C" NOT NULL,
    activity TEXT COLLATE "C" NOT NULL,
    since BIGINT NOT NULL,
    logged BIGINT NOT NULL,
    not_logged BIGINT NOT NULL,
    actor TEXT NOT NULL,
    PRIMARY KEY (tenant_id, caller, activity)
) WITH (fillfactor = 50);
CREATE INDEX attempt_counts_by_age ON attempt_counts (since, tenant_id);

ALTER TABLE attempt_counts ENABLE ROW LEVEL SECURITY;
ALTER TABLE attempt_counts FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenants ON attempt_counts USING (tenant_id = ANY (
    (SELECT string_to_array(nullif(current_setting('supportaccess.tenants', true), '*'), ','))::text[]));
CREATE POLICY of_every_tenant ON attempt_counts FOR SELECT
    USING ((SELECT current_setting('supportaccess.tenants', true) = '*'));

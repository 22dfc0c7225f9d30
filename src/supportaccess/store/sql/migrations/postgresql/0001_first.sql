-- Times are microseconds since 1970-01-01T00:00:00Z. Every table leads with the tenant, so that it can be distributed.
-- COLLATE "C" orders text by its bytes, as SQLite and Python do, and lets a prefix be searched along an index.

-- The record is the JSON that the API sends, to the byte: a page is put together from it without looking into it. The
-- other columns repeat or derive from it what a request is found by, ordered by and changed on. `listed_at` is the first
-- trace of the request, `urgency` what needs attention first (the deadline, the limit, or minus the end); text for
-- searching is case-folded.
CREATE TABLE access_requests (
    tenant_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    etag TEXT COLLATE "C" NOT NULL,
    support_request_id TEXT COLLATE "C",
    resource_tenant_id TEXT COLLATE "C",
    listed_at BIGINT NOT NULL,
    urgency BIGINT NOT NULL,
    engineer_folded TEXT COLLATE "C" NOT NULL,
    search_folded TEXT COLLATE "C" NOT NULL,
    record TEXT COLLATE "C" NOT NULL CHECK (record::json IS NOT NULL),
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX access_requests_by_urgency ON access_requests (tenant_id, status, urgency, listed_at, id);
CREATE INDEX access_requests_by_time ON access_requests (tenant_id, status, listed_at, id);
CREATE INDEX access_requests_by_support_request ON access_requests (tenant_id, support_request_id, status);
CREATE INDEX access_requests_falling_due ON access_requests (urgency, tenant_id)
    WHERE status IN ('pending', 'approved');

CREATE TABLE support_requests (
    tenant_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'closed')),
    PRIMARY KEY (tenant_id, id)
);

-- The entry is the exact bytes that were hashed; the other columns repeat what is in it, for filters.
CREATE TABLE audit_events (
    tenant_id TEXT COLLATE "C" NOT NULL,
    sequence BIGINT NOT NULL,
    at BIGINT NOT NULL,
    activity TEXT NOT NULL,
    access_request_id TEXT COLLATE "C",
    actor_folded TEXT COLLATE "C" NOT NULL,
    entry BYTEA NOT NULL,
    leaf_hash BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, sequence)
);
CREATE INDEX audit_events_by_request ON audit_events (tenant_id, access_request_id, sequence);

-- Room in each page, so that moving a head stays within it and touches no index.
CREATE TABLE audit_log_heads (
    tenant_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    size BIGINT NOT NULL,
    root BYTEA NOT NULL,
    frontier BYTEA NOT NULL
) WITH (fillfactor = 50);

-- A guard against accidents, not a proof: the proof is the tree.
CREATE FUNCTION refuse_to_change_audit_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit entries are never changed or deleted';
END $$;
CREATE TRIGGER audit_events_are_not_changed BEFORE UPDATE OR DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION refuse_to_change_audit_events();
CREATE TRIGGER audit_events_are_not_emptied BEFORE TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_audit_events();

CREATE TABLE idempotency (
    tenant_id TEXT COLLATE "C" NOT NULL,
    caller TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    payload_hash BYTEA NOT NULL,
    answer BYTEA NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, caller, key)
);
CREATE INDEX idempotency_by_age ON idempotency (at, tenant_id);

-- `first_request_id` is the ID of the request that would begin with this event: it keeps an ID valid after an earlier
-- event of the same request was read. `request_id` is the request that the event belongs to now.
CREATE TABLE source_events (
    tenant_id TEXT COLLATE "C" NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    event_id TEXT COLLATE "C" NOT NULL,
    first_request_id TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C",
    placed BIGINT NOT NULL,
    import_id TEXT COLLATE "C" NOT NULL,
    event BYTEA NOT NULL,
    raw TEXT NOT NULL,
    PRIMARY KEY (tenant_id, source, event_id)
);
CREATE INDEX source_events_by_request ON source_events (tenant_id, request_id);
CREATE INDEX source_events_by_first_request ON source_events (tenant_id, first_request_id);
CREATE INDEX source_events_by_import ON source_events (tenant_id, import_id, event_id);
CREATE INDEX source_events_unplaced ON source_events (tenant_id, import_id) WHERE placed = 0;

CREATE TABLE source_event_keys (
    tenant_id TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    event_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, key, source, event_id)
);

-- How far each webhook is in each tenant's log, which is its outbox; and up to when deadlines and limits were announced.
CREATE TABLE webhook_cursors (
    tenant_id TEXT COLLATE "C" NOT NULL,
    webhook TEXT COLLATE "C" NOT NULL,
    target TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    announced_until BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    failing_since BIGINT,
    next_attempt_at BIGINT NOT NULL,
    disabled_at BIGINT,
    PRIMARY KEY (tenant_id, webhook)
);

-- The second wall: a session sees and writes the rows of the tenants that it was opened for, whatever a statement says
-- (docs/decisions/0009-row-level-security-by-tenants.md). The sub-select is evaluated once a statement, not once a row.
DO $$
DECLARE
    name TEXT;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'access_requests', 'support_requests', 'audit_events', 'audit_log_heads', 'idempotency', 'source_events',
        'source_event_keys', 'webhook_cursors'
    ] LOOP
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

CREATE TABLE schema_version (version BIGINT NOT NULL);
INSERT INTO schema_version VALUES (1);

-- Times are microseconds since 1970-01-01T00:00:00Z. Every table leads with the tenant, so that it can be distributed.

-- The record is the JSON that the API sends, to the byte: a page is put together from it without looking into it. The
-- other columns repeat or derive from it what a request is found by, ordered by and changed on. `listed_at` is the first
-- trace of the request, `urgency` what needs attention first (the deadline, the limit, or minus the end); text for
-- searching is case-folded.
CREATE TABLE access_requests (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    status TEXT NOT NULL,
    etag TEXT NOT NULL,
    support_request_id TEXT,
    resource_tenant_id TEXT,
    listed_at INTEGER NOT NULL,
    urgency INTEGER NOT NULL,
    engineer_folded TEXT NOT NULL,
    search_folded TEXT NOT NULL,
    record TEXT NOT NULL CHECK (json_valid(record)),
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX access_requests_by_urgency ON access_requests (tenant_id, status, urgency, listed_at, id);
CREATE INDEX access_requests_by_time ON access_requests (tenant_id, status, listed_at, id);
CREATE INDEX access_requests_by_support_request ON access_requests (tenant_id, support_request_id, status);
CREATE INDEX access_requests_falling_due ON access_requests (status, urgency) WHERE status IN ('pending', 'approved');

CREATE TABLE support_requests (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'closed')),
    PRIMARY KEY (tenant_id, id)
) WITHOUT ROWID;

-- The entry is the exact bytes that were hashed; the other columns repeat what is in it, for filters.
CREATE TABLE audit_events (
    tenant_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    activity TEXT NOT NULL,
    access_request_id TEXT,
    actor_folded TEXT NOT NULL,
    entry BLOB NOT NULL,
    leaf_hash BLOB NOT NULL,
    PRIMARY KEY (tenant_id, sequence)
);
CREATE INDEX audit_events_by_request ON audit_events (tenant_id, access_request_id, sequence);

CREATE TABLE audit_log_heads (
    tenant_id TEXT NOT NULL PRIMARY KEY,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    frontier BLOB NOT NULL
) WITHOUT ROWID;

-- A guard against accidents, not a proof: the proof is the tree.
CREATE TRIGGER audit_events_are_not_changed BEFORE UPDATE ON audit_events
BEGIN SELECT RAISE(ABORT, 'audit entries are never changed'); END;
CREATE TRIGGER audit_events_are_not_deleted BEFORE DELETE ON audit_events
BEGIN SELECT RAISE(ABORT, 'audit entries are never deleted'); END;

CREATE TABLE idempotency (
    tenant_id TEXT NOT NULL,
    caller TEXT NOT NULL,
    key TEXT NOT NULL,
    payload_hash BLOB NOT NULL,
    answer BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, caller, key)
);
CREATE INDEX idempotency_by_age ON idempotency (at);

-- `first_request_id` is the ID of the request that would begin with this event: it keeps an ID valid after an earlier
-- event of the same request was read. `request_id` is the request that the event belongs to now.
CREATE TABLE source_events (
    tenant_id TEXT NOT NULL,
    source TEXT NOT NULL,
    event_id TEXT NOT NULL,
    first_request_id TEXT NOT NULL,
    request_id TEXT,
    placed INTEGER NOT NULL,
    import_id TEXT NOT NULL,
    event BLOB NOT NULL,
    raw TEXT NOT NULL,
    PRIMARY KEY (tenant_id, source, event_id)
);
CREATE INDEX source_events_by_request ON source_events (tenant_id, request_id);
CREATE INDEX source_events_by_first_request ON source_events (tenant_id, first_request_id);
CREATE INDEX source_events_by_import ON source_events (tenant_id, import_id, event_id);
CREATE INDEX source_events_unplaced ON source_events (tenant_id, import_id) WHERE placed = 0;

CREATE TABLE source_event_keys (
    tenant_id TEXT NOT NULL,
    key TEXT NOT NULL,
    source TEXT NOT NULL,
    event_id TEXT NOT NULL,
    PRIMARY KEY (tenant_id, key, source, event_id)
) WITHOUT ROWID;

-- How far each webhook is in each tenant's log, which is its outbox; and up to when deadlines and limits were announced.
CREATE TABLE webhook_cursors (
    tenant_id TEXT NOT NULL,
    webhook TEXT NOT NULL,
    target TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    announced_until INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    failing_since INTEGER,
    next_attempt_at INTEGER NOT NULL,
    disabled_at INTEGER,
    PRIMARY KEY (tenant_id, webhook)
) WITHOUT ROWID;

"""Verifies a stored audit log: its own tree, the records and raw events that it vouches for, and its signatures."""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from supportaccess.domain.audit import Activity, AuditEntry
from supportaccess.domain.permissions import Caller
from supportaccess.errors import StoreRefused, VerificationFailed
from supportaccess.store.protocol import LogHead
from supportaccess.store.sql.engine import Engine, Row, Session
from supportaccess.store.sql.imports import evidence_of
from supportaccess.store.sql.log import filter_columns, kept_nodes, read_head
from supportaccess.store.sql.proofs import SqlProofs
from supportaccess.store.sql.rows import RECORD, ROW, is_row_of, record_from, stored_hash
from supportaccess.store.verification import Finding, Verification, read_entry
from supportaccess.tlog.files import Live, SignedHead
from supportaccess.tlog.keys import Keys
from supportaccess.tlog.merkle import EMPTY_ROOT, TILE_HEIGHT, Frontier, leaf_hash
from supportaccess.tlog.notes import VerifierKey, parse_key
from supportaccess.tlog.remembered import Verified
from supportaccess.tlog.signers import key_of
from supportaccess.tlog.verify import LogVerification, Verdict, verify_log

_ENTRIES = """
    SELECT sequence, at, activity, access_request_id, actor_folded, entry, leaf_hash FROM audit_events
    WHERE tenant_id = :tenant_id ORDER BY sequence
"""
_RECORDS = f"SELECT {RECORD}, {ROW} FROM access_requests WHERE tenant_id = :tenant_id ORDER BY id"
_EVENTS_OF_REQUESTS = """
    SELECT request_id, COUNT(*) FROM source_events
    WHERE tenant_id = :tenant_id AND request_id IS NOT NULL GROUP BY request_id
"""
_SUPPORT_REQUESTS = "SELECT id, state FROM support_requests WHERE tenant_id = :tenant_id ORDER BY id"
_NODES = "SELECT level, position, hash FROM audit_log_nodes WHERE tenant_id = :tenant_id ORDER BY level, position"
_IMPORTS = "SELECT import_id, COUNT(*) FROM source_events WHERE tenant_id = :tenant_id GROUP BY import_id"

_entries = msgspec.json.Decoder(AuditEntry)


def verify(session: Session, tenant_id: str) -> Verification:
    """Recompute everything that can be recomputed and return what does not hold.

    It shows an alteration by whoever did not recompute the whole log as well; that too shows against a head that was
    kept outside the store.
    """
    return _Verifying(session, tenant_id).outcome()


class _Verifying:
    def __init__(self, session: Session, tenant_id: str) -> None:
        self._session = session
        self._tenant = {"tenant_id": tenant_id}
        self._findings: list[Finding] = []
        self._frontier = Frontier()
        self._nodes: dict[tuple[int, int], bytes] = {}
        # What the last entry of something done to each request says that its record's hash is: None once it was merged
        # into another.
        self._latest: dict[str, tuple[int, str | None]] = {}
        self._evidence: dict[str, tuple[int, str]] = {}
        self._support_requests: dict[str, tuple[int, str]] = {}

    def outcome(self) -> Verification:
        entries = self._read_log()
        head = self._check_head(entries)
        self._check_nodes()
        records = self._read_records()
        self._read_support_requests()
        events = self._read_evidence()
        return Verification(
            entries=entries,
            access_requests=records,
            source_events=events,
            head=head,
            findings=self._findings,
        )

    def _check_head(self, entries: int) -> LogHead:
        try:
            head, frontier = read_head(self._session, self._tenant["tenant_id"])
        except StoreRefused as error:
            self._find(Verdict.ALTERED, error.message)
            return LogHead(size=0, root=EMPTY_ROOT.hex())
        if head.size != self._frontier.size or head.root != self._frontier.root().hex():
            self._against_head(entries, head.size)
        elif frontier != self._frontier.to_bytes():
            self._find(Verdict.ALTERED, "the stored right edge of the tree does not fit its entries")
        return head

    def _check_nodes(self) -> None:
        """Hold the kept hashes of the tree against its entries. One that is not there is made anew for a proof."""
        if self._findings:
            return  # they follow from entries that do not hold
        for level, position, node in self._session.each(_NODES, self._tenant):
            if self._nodes.get((level, position)) != node:
                self._find(Verdict.ALTERED, f"the kept hash {position!r} of level {level!r} of the tree is not its own")

    def _find(
        self, verdict: Verdict, message: str, *, sequence: int | None = None, request_id: str | None = None
    ) -> None:
        self._findings.append(
            Finding(verdict=verdict, message=message, sequence=sequence, access_request_id=request_id)
        )

    def _read_log(self) -> int:
        expected = entries = 0
        for row in self._session.each(_ENTRIES, self._tenant):
            sequence = row[0]
            if type(sequence) is not int or sequence < expected:
                self._find(Verdict.EXTRA, f"there is an entry at {sequence!r}, which is no place in a log")
                continue
            if sequence != expected:
                missing = f"{expected}" if sequence == expected + 1 else f"{expected} to {sequence - 1}"
                self._find(Verdict.MISSING, f"entry {missing} is missing", sequence=expected)
            expected = sequence + 1
            entries += 1
            self._check_entry(row)
        return entries

    def _check_entry(self, row: Row) -> None:
        sequence, data, stored_leaf = row[0], row[5], row[6]
        leaf = leaf_hash(data) if isinstance(data, bytes) else b""
        for level, node in kept_nodes(self._frontier.append(leaf)):
            self._nodes[level, sequence >> (TILE_HEIGHT * level)] = node
        if leaf != stored_leaf:
            self._find(Verdict.ALTERED, f"entry {sequence} is not the one that was hashed", sequence=sequence)
        try:
            entry = _entries.decode(data)
            columns = tuple(filter_columns(entry).values())
        except (msgspec.MsgspecError, TypeError, RecursionError):
            self._find(Verdict.ALTERED, f"entry {sequence} is not an audit entry", sequence=sequence)
            return
        if entry.sequence != sequence or entry.tenant_id != self._tenant["tenant_id"]:
            self._find(Verdict.ALTERED, f"entry {sequence} belongs in another place or log", sequence=sequence)
        if columns != tuple(row[:5]):
            self._find(Verdict.ALTERED, f"the columns of entry {sequence} differ from the entry", sequence=sequence)
        self._remember(entry, sequence)

    def _remember(self, entry: AuditEntry, sequence: int) -> None:
        if entry.support_request_id is not None:
            if entry.activity is Activity.REQUEST_CREATED:
                self._support_requests.setdefault(entry.support_request_id, (sequence, "open"))
            elif entry.activity is Activity.SUPPORT_REQUEST_CLOSED:
                self._support_requests[entry.support_request_id] = sequence, "closed"
        # An entry of something done has a record after it, or one before it.
        if entry.access_request_id is not None and (entry.record or entry.status_before):
            self._latest[entry.access_request_id] = sequence, entry.record
        if entry.details is not None and "importId" in entry.details:
            self._evidence[str(entry.details["importId"])] = sequence, str(entry.details.get("evidence"))

    def _against_head(self, entries: int, size: int) -> None:
        if entries < size:
            self._find(
                Verdict.MISSING,
                f"the log ends at {entries} entries, its head says {size}",
                sequence=None if self._findings else entries,
            )
        elif entries > size:
            self._find(Verdict.EXTRA, f"entry {size} and later are not in the head", sequence=size)
        elif not self._findings:
            self._find(Verdict.ALTERED, "the root of the entries is not the one in the head")

    def _read_records(self) -> int:
        count = 0
        seen: set[str] = set()
        self._events_of: dict[str, int] = dict(self._session.all(_EVENTS_OF_REQUESTS, self._tenant))
        for row in self._session.each(_RECORDS, self._tenant):
            count += 1
            seen.add(row[0])
            self._check_record(row)
        for request_id, (sequence, expected) in self._latest.items():
            if expected is not None and request_id not in seen:
                self._find(
                    Verdict.MISSING,
                    f"access request {request_id}, last written by entry {sequence}, is missing",
                    sequence=sequence,
                    request_id=request_id,
                )
        return count

    def _check_record(self, row: Row) -> None:
        request_id, text, *columns = row
        sequence, expected = self._latest.get(request_id, (None, None))
        try:
            record = record_from(row)
            as_left = record.etag == f'"{expected}"' and stored_hash(text) == expected
        except StoreRefused:
            as_left = False
        if sequence is None:
            self._find(Verdict.EXTRA, f"access request {request_id} has no entry in the log", request_id=request_id)
        # The text is held by its hash, the columns beside it by what they repeat of it.
        elif not as_left or not is_row_of(columns, self._tenant["tenant_id"], record):
            self._find(
                Verdict.ALTERED,
                f"access request {request_id} is not as entry {sequence} left it",
                sequence=sequence,
                request_id=request_id,
            )
        elif record.mirror is not None and self._events_of.get(request_id, 0) < record.mirror.events:
            self._find(
                Verdict.MISSING,
                f"raw events of access request {request_id} are missing or no longer tied to it",
                sequence=sequence,
                request_id=request_id,
            )

    def _read_support_requests(self) -> None:
        stored: dict[str, str] = dict(self._session.all(_SUPPORT_REQUESTS, self._tenant))
        for number, (sequence, state) in self._support_requests.items():
            if stored.get(number) != state:
                self._find(
                    Verdict.ALTERED if number in stored else Verdict.MISSING,
                    f"support request {number} is not {state}, as entry {sequence} left it",
                    sequence=sequence,
                )
        for number in stored.keys() - self._support_requests.keys():
            self._find(Verdict.EXTRA, f"support request {number} has no entry in the log")

    def _read_evidence(self) -> int:
        stored: dict[str, int] = dict(self._session.all(_IMPORTS, self._tenant))
        for import_id, (sequence, evidence) in self._evidence.items():
            if evidence_of(self._session, self._tenant["tenant_id"], import_id) != evidence:
                self._find(
                    Verdict.ALTERED,
                    f"the raw events of the import of entry {sequence} are not those that were imported",
                    sequence=sequence,
                )
        for import_id in stored.keys() - self._evidence.keys():
            self._find(Verdict.EXTRA, f"{stored[import_id]} raw events belong to no import in the log")
        return sum(stored.values())


def verify_signed(
    engine: Engine,
    keys: Keys,
    caller: Caller,
    given: Sequence[VerifierKey] = (),
    anchors: Sequence[bytes] = (),
    since: Verified | None = None,
) -> LogVerification:
    """Return what does not hold of a log: against the given keys, or else the store's own, and the given anchors.

    What was written after the last signature is signed first, where the log leads there.
    """
    refusal: VerificationFailed | None = None
    proofs = SqlProofs(engine, caller, keys)
    try:
        head = proofs.head()
    except (VerificationFailed, StoreRefused) as error:
        if isinstance(error, VerificationFailed):
            refusal = error
        elif not given:  # without the store's own key there is nothing to verify with
            raise
        proofs = SqlProofs(engine, caller, None)
        head = proofs.head()
    with engine.reading([caller.tenant_id]) as session:
        end = read_head(session, caller.tenant_id)[0].size
    last = keys.head(caller.tenant_id)
    if head.checkpoint is None and last is None:
        return LogVerification(origin=None, size=head.size, root=head.root, entries=0, findings=[])
    believed = list(given) or _own(keys, caller.tenant_id)
    if since is not None:
        believed += map(parse_key, since.keys)
    kept = [*anchors, *([last[0]] if last else [])]
    checked = verify_log(Live(proofs, _shown(head, last), end), read_entry, believed, kept, since)
    return checked if refusal is None else _with(checked, refusal)


def _own(keys: Keys, tenant_id: str) -> list[VerifierKey]:
    return [key_of(signer, keys.origin(tenant_id)) for signer in keys.signers()] if keys.exists else []


def _shown(head: SignedHead, last: tuple[bytes, object] | None) -> SignedHead:
    """Return a head with a checkpoint: where the database has lost its own, the one that is kept outside it."""
    if head.checkpoint is not None or last is None:
        return head
    return replace(head, checkpoint=last[0].decode())


def _with(checked: LogVerification, refusal: VerificationFailed) -> LogVerification:
    """Return an outcome with why the log was not signed, unless that was found anyway."""
    verdict = Verdict(refusal.verdict)
    if any(each.verdict == verdict for each in checked.findings):
        return checked
    return replace(
        checked, findings=[*checked.findings, Finding(verdict=verdict, message=refusal.message)], verified=None
    )

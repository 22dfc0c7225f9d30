"""From what a person types to the request that is meant."""

from collections.abc import Sequence

from supportaccess.cli.output.streams import Streams
from supportaccess.domain.records import OPEN, AccessRequest
from supportaccess.errors import Ambiguous, InvalidInput, NotFound
from supportaccess.store.protocol import SHORTEST_PREFIX, RequestQuery, RequestReader
from supportaccess.suggestions import nearest

_SHOWN = 10
_LIKENESS = 0.8
"""Higher than for words: IDs that have nothing to do with one another share many characters."""
_LONGEST_LINE = 64 * 1024


def resolve(store: RequestReader, text: str) -> AccessRequest:
    """Return the one request that an ID, a prefix of one or a support request ID names.

    Of a support request's access requests it is the open one, or the latest when none is open. Raises NotFound and
    Ambiguous, with what may have been meant.
    """
    found = store.find(text, top=_SHOWN + 1)
    by_id = [record for record in found if record.id == text.lower()]
    if by_id:
        return by_id[0]
    by_number = [record for record in found if record.support_request_id == text]
    by_prefix = [record for record in found if record.support_request_id != text]
    open_ones = [record for record in by_number if record.status.counts_as in OPEN]
    candidates = by_prefix + (open_ones or by_number[:1])
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise Ambiguous(
            f"{text!r} may be {_several(candidates)}", hint="Give more characters of the ID; list shows them."
        )
    raise _unknown(store, text)


def expand(ids: Sequence[str], streams: Streams) -> list[str]:
    """Return the IDs that were given, each once; `-` stands for those on standard input.

    There, an ID is the first field of a line; blank lines and lines that begin with # are skipped. Raises InvalidInput
    when nothing was given.
    """
    expanded: dict[str, None] = {}
    for text in ids:
        for each in _from_stdin(streams) if text == "-" else [text]:
            expanded.setdefault(each)
    if not expanded:
        raise InvalidInput("no ID was given on standard input")
    return list(expanded)


def _from_stdin(streams: Streams) -> list[str]:
    if streams.stdin is None:
        raise InvalidInput("standard input is closed, so - has no IDs to read")
    found = []
    try:
        while line := streams.stdin.readline(_LONGEST_LINE):
            fields = line.split()
            if fields and not fields[0].startswith("#"):
                found.append(fields[0])
    except UnicodeDecodeError:
        raise InvalidInput("standard input is not text") from None
    return found


def _unknown(store: RequestReader, text: str) -> NotFound:
    if len(text) < SHORTEST_PREFIX:
        return NotFound(f"{text!r} is too short: a prefix of an ID has at least {SHORTEST_PREFIX} characters")
    near = {
        name: record.id
        for record in store.find(text[:SHORTEST_PREFIX], top=50)
        for name in (record.id, record.id[: len(text)])
    }
    of_tickets = store.page(RequestQuery(search=text[: len(text) // 2]), top=50).value
    near |= {record.support_request_id: record.support_request_id for record in of_tickets if record.support_request_id}
    close = nearest(text, near, likeness=_LIKENESS)
    meant = f"; did you mean {near[close]}?" if close else ""
    return NotFound(
        f"there is no access request {text!r} in tenant {store.tenant_id}{meant}",
        hint="supportaccess list --status STATUS, or --search TEXT, finds it.",
    )


def _several(candidates: Sequence[AccessRequest]) -> str:
    lines = [f"\n  {record.id}  {record.support_request_id or '-'}  {record.status}" for record in candidates[:_SHOWN]]
    more = "\n  and more" if len(candidates) > _SHOWN else ""
    return f"one of these:{''.join(lines)}{more}"

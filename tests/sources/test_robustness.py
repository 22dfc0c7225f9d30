"""Whatever the bytes and however they come."""

import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sources.builders import (
    TENANT,
    cells,
    event,
    line,
    lines,
    packed,
    page,
    query_answer,
    read,
    row,
    table,
    unrelated,
)
from tests.support.examples import costly

from supportaccess.errors import UnreadableExport
from supportaccess.sources.entra.export import Export, Format

GOOD = [
    page(event(), unrelated(), event(id="é€😀")),
    lines(event(), unrelated()),
    query_answer(row(), row(Id="b")),
    page(row(TargetResources='[{"id": "x"}]')),
    lines(line(), line(category="SignInLogs")),
    table(cells(ResultReason="é€😀\n"), cells()),
]
EXPORTS = [*GOOD, *(packed(data) for data in GOOD)]


class Drip(io.BytesIO):
    """A stream that gives as many bytes at a time as it likes."""

    def __init__(self, data: bytes, seed: int) -> None:
        super().__init__(data)
        self._random = random.Random(seed)

    def read(self, _: int | None = -1, /) -> bytes:
        return super().read(self._random.choice([1, 2, 3, 7, 100, 5000]))


@given(st.sampled_from(EXPORTS), st.integers())
def test_any_chunking_gives_the_same(data: bytes, seed: int) -> None:
    """How the stream is cut into pieces makes no difference."""
    assert list(Export(Drip(data, seed), name="x", tenant_id=TENANT)) == read(data)


def take_in(data: bytes, form: Format | None) -> None:
    source = Export(io.BytesIO(data), name="x", tenant_id=TENANT, format=form)
    yielded, message = 0, ""
    try:
        for _ in source:
            yielded += 1
    except UnreadableExport as error:
        message = error.message
    assert message.isprintable()
    assert source.events == source.unrelated + yielded


FORMS = st.sampled_from([None, *Format])


@given(st.binary(max_size=300) | st.text("[]{},:\"'\\ \nvalue0eE-.u dDtruefalsn;", max_size=80).map(str.encode), FORMS)
def test_any_bytes(data: bytes, form: Format | None) -> None:
    """No bytes make it fail in another way than it says."""
    take_in(data, form)


@costly(400)
@given(
    st.sampled_from(EXPORTS),
    st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=6), st.integers(0, 5)), min_size=1, max_size=4),
    FORMS,
)
def test_damaged_exports(data: bytes, damages: list[tuple[int, bytes, int]], form: Format | None) -> None:
    """No damage to a good export makes it fail in another way than it says."""
    for place, inserted, removed in damages:
        at = place % len(data)
        data = data[:at] + inserted + data[at + removed :]
    take_in(data, form)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "user", "app", "type", "displayName", "key", "value"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@costly(400)
@given(
    st.sampled_from([(event, page), (row, page), (row, query_answer), (line, lines)]),
    st.data(),
)
def test_any_values(form: tuple[object, object], data: st.DataObject) -> None:
    """No values in an item's fields make it fail in another way than it says."""
    build, wrap = form
    assert callable(build)
    assert callable(wrap)
    names = data.draw(st.lists(st.sampled_from(sorted(build())), min_size=1, max_size=3))
    take_in(wrap(build(**{name: data.draw(JSON) for name in names})), None)


@pytest.mark.parametrize("data", GOOD)
def test_related_events_of_many(data: bytes) -> None:
    """Exports much longer than what is in sight at a time are read whole."""
    if data.startswith(b"\xef\xbb\xbf"):
        many, each = data + b"".join(data.splitlines(keepends=True)[1:]) * 2000, 2
        assert len(read(many)) == 2 + 2000 * each
    else:
        once = len(read(data))
        assert len(read((data.rstrip() + b"\n") * 2000)) == 2000 * once

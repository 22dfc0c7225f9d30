"""Decisions on many requests at once."""

from datetime import timedelta

import pytest
from tests.cli.home import TICKET, Home, key, now
from tests.cli.terminal import CTRL_C
from tests.support.people import HOME

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def statuses(home: Home, ids: list[str]) -> list[str]:
    """Return how the requests now stand."""
    return [home.get(each).status for each in ids]


def test_several_ids_from_arguments(home: Home) -> None:
    """Several IDs are decided in turn, and each is printed as it now stands."""
    ids = [each.id for each in home.raised("1", "2", "3")]
    result = home.run("approve", *ids, "-y", "--reason", "outage", "-o", "json")
    assert result.code == 0
    assert [(each["id"], each["status"]) for each in result.json] == [(each, "approved") for each in ids]
    for each in ids:
        assert f"{each} (support request " in result.err


def test_several_ids_need_a_reason(home: Home) -> None:
    """More than one ID without --reason is refused: exit 2, nothing changed."""
    ids = [each.id for each in home.raised("1", "2")]
    result = home.run("approve", *ids, "-y")
    assert result.code == 2
    assert "to approve 2 requests a reason is required" in result.err
    assert statuses(home, ids) == ["pending", "pending"]


def test_ids_from_standard_input(home: Home) -> None:
    """`-` reads the first field of each line, passing over blank lines, comments and carriage returns."""
    ids = [each.id for each in home.raised("1", "2", "3", "4")]
    text = f"# those of today\r\n\r\n{ids[0]}\r\n  {ids[1][:8]}\tmore fields\n\n#{ids[3]}\n{ids[2]} # noted\n{ids[0]}"
    result = home.run("reject", "-", "-y", "-r", "no", "-o", "ids", stdin=text)
    assert (result.code, sorted(result.lines)) == (0, sorted(ids[:3]))
    assert statuses(home, ids) == ["rejected"] * 3 + ["pending"]


@pytest.mark.process
def test_a_list_is_piped_into_a_decision(home: Home) -> None:
    """What `list` prints in a pipe is what `-` reads."""
    ids = [each.id for each in home.approved("1", "2", "3")]
    result = home.shell("supportaccess list --active | supportaccess revoke - --yes --reason 'incident 42'")
    assert result.code == 0
    assert statuses(home, ids) == ["revoked"] * 3


@pytest.mark.parametrize("text", [b"", b"\n\n# nothing\n"], ids=["empty", "comments"])
def test_nothing_on_standard_input(home: Home, text: bytes) -> None:
    """No ID at all on standard input is wrong usage, not a success that did nothing."""
    result = home.run("approve", "-", "-y", "-r", "x", stdin=text)
    assert result.code == 2
    assert "no ID was given" in result.err


def test_standard_input_that_is_not_text(home: Home) -> None:
    """Bytes that are not text are refused, or are an ID that nothing has."""
    result = home.run("approve", "-", "-y", "-r", "x", stdin=b"\xff\xfe\x00\x01\n")
    assert result.code in {2, 5}
    assert result.err.startswith("Error: ")


def test_standard_input_cannot_also_answer(home: Home) -> None:
    """With `-` nobody can be asked, so --yes is needed, on a terminal too; nothing is read first."""
    home.raised()
    result = home.run("approve", "-", "-r", "x", stdin="irrelevant\n")
    assert (result.code, "--yes" in result.err) == (2, True)
    screen = home.on_terminal("approve", "-", "-r", "x")
    assert (screen.code, "--yes" in screen.text) == (2, True)


@pytest.mark.process
def test_a_table_and_one_question(home: Home) -> None:
    """On a terminal a table shows all of them, one question is asked, and each has its result."""
    ids = [each.id for each in home.raised("1", "2", "3")]
    with home.terminal("approve", *ids, "-r", "outage") as terminal:
        shown = terminal.wait_for(f"Approve these 3 requests in tenant contoso ({HOME})? [y/N] ")
        terminal.type("y\n")
        screen = terminal.finish()
    assert "SUPPORT REQUEST" in shown
    assert all(f"\n{each[:8]} " in shown for each in ids)
    assert screen.code == 0
    assert screen.text.count("[y/N]") == 1
    assert all(f"{each} (support request " in screen.words.partition("[y/N]")[2] for each in ids)
    assert statuses(home, ids) == ["approved"] * 3


def test_a_no_to_many(home: Home) -> None:
    """A no changes none of them."""
    ids = [each.id for each in home.raised("1", "2")]
    assert home.on_terminal("approve", *ids, "-r", "x", answer="n\n").code == 1
    assert statuses(home, ids) == ["pending", "pending"]


@pytest.mark.parametrize("place", ["pipe", "terminal"])
def test_some_failed(home: Home, place: str) -> None:
    """When some fail the others are done; each failure is told with its ID, and the exit code is 7."""
    records = home.one_of_each()
    (fresh,) = home.raised("fresh")
    ids = [UNKNOWN, records["rejected"].id, fresh.id, records["pending"].id]
    if place == "pipe":
        result = home.run("approve", *ids, "-y", "-r", "x", "-o", "ids")
        code, told = result.code, result.err
        assert sorted(result.lines) == sorted([fresh.id, records["pending"].id])
    else:
        screen = home.on_terminal("approve", *ids, "-r", "x", answer="y\n")
        code, told = screen.code, screen.words
    assert code == 7
    assert UNKNOWN in told
    assert f"{records['rejected'].id} is rejected" in told
    assert f"2 of 4 approved in tenant contoso ({HOME}), 2 failed." in told
    assert statuses(home, [fresh.id, records["pending"].id]) == ["approved", "approved"]


def test_safe_to_run_again(home: Home) -> None:
    """A bulk decision that was done in part is completed by running it again, and adds nothing to what was done."""
    ids = [each.id for each in home.raised("1", "2", "3")]
    command = ["approve", *ids, "-y", "-r", "x"]
    assert home.run("approve", ids[1], "-y", "-r", "x").code == 0
    size = home.log_size()
    assert home.run(*command).code == 0
    assert home.log_size() == size + 2
    again = home.run(*command)
    assert again.code == 0
    assert again.err.count(f"is approved already in tenant contoso ({HOME}); nothing changes.") == 3
    assert home.log_size() == size + 2
    with home.store() as store:
        assert store.verify().findings == []


def test_a_request_that_is_named_twice_is_decided_once(home: Home) -> None:
    """An ID, its beginning and its ticket are one request, decided once."""
    (record,) = home.raised()
    result = home.run("approve", record.id, record.id[:8], TICKET, "-y", "-r", "x", "-o", "ids")
    assert (result.code, result.lines) == (0, [record.id])


def test_a_dry_run_of_many(home: Home) -> None:
    """A dry run of many shows them, says which cannot be, and changes nothing."""
    records = home.one_of_each()
    ids = [records["pending"].id, records["rejected"].id]
    size = home.log_size()
    result = home.run("approve", *ids, "--dry-run", "-r", "x")
    assert result.code == 7
    assert "is rejected" in result.err
    assert "Nothing was changed: this is a dry run." in result.err
    assert home.log_size() == size


@pytest.mark.process
def test_a_reader_who_leaves_does_not_stop_the_decisions(home: Home) -> None:
    """With the reader of standard output gone from the start, all are decided and the exit code is 0."""
    ids = [each.id for each in home.raised(*map(str, range(30)))]
    (home.folder / "ids").write_text("\n".join(ids))
    result = home.shell("supportaccess approve - --yes -r x < ids | true; exit ${PIPESTATUS[0]}")
    assert result.code == 0
    assert statuses(home, ids) == ["approved"] * 30


@pytest.mark.process
@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-", ">&- 2>&- </dev/null"])
def test_closed_streams_do_not_stop_the_decisions(home: Home, closed: str) -> None:
    """With standard output, or both outputs, closed from the start, all are decided and the exit code is 0."""
    ids = [each.id for each in home.raised("1", "2", "3")]
    result = home.shell(f"supportaccess approve {' '.join(ids)} --yes -r x {closed}")
    assert result.code == 0
    assert statuses(home, ids) == ["approved"] * 3


@pytest.mark.process
def test_a_full_disk_below_the_output_does_not_stop_the_decisions(home: Home) -> None:
    """When the output cannot be written, that is said, exit 1, and all are decided all the same."""
    ids = [each.id for each in home.raised("1", "2", "3")]
    result = home.shell(f"supportaccess approve {' '.join(ids)} --yes -r x > /dev/full")
    assert result.code == 1
    assert "Error: the output could not be written: No space left on device" in result.err
    assert statuses(home, ids) == ["approved"] * 3


@pytest.mark.process
def test_ctrl_c_during_the_loop(home: Home) -> None:
    """Ctrl-C lets the decision under way finish, says what was done and what was not, and exits with 130."""
    ids = [each.id for each in home.raised(*map(str, range(200)))]
    with home.terminal("approve", *ids, "-y", "-r", "x", rows=500) as terminal:
        terminal.wait_for("approved until")
        terminal.wait_for("approved until")
        terminal.type(CTRL_C)
        screen = terminal.finish()
    told, _, left = screen.text.partition("Interrupted: ")
    assert screen.code == 130
    decided = [each for each in ids if home.get(each).status == "approved"]
    not_tried = left.partition("not tried:\n")[2].splitlines()[: len(ids) - len(decided)]
    assert left.startswith(
        f"{len(decided)} approved in tenant contoso ({HOME}), 0 failed, {len(ids) - len(decided)} not tried:\n"
    )
    assert 2 <= len(decided) < 200
    assert all(f"{each} (support request" in told for each in decided)
    assert [each.strip() for each in not_tried] == ids[len(decided) :]
    with home.store() as store:
        assert store.verify().findings == []


@pytest.mark.process
def test_after_ctrl_c_the_same_command_does_the_rest(home: Home) -> None:
    """An interrupted bulk decision is completed by running it again."""
    ids = [each.id for each in home.raised(*map(str, range(100)))]
    with home.terminal("reject", *ids, "-y", "-r", "x", rows=300) as terminal:
        terminal.wait_for(": rejected in tenant")
        terminal.type(CTRL_C)
        assert terminal.finish().code in {0, 130}
    assert home.run("reject", *ids, "-y", "-r", "x").code == 0
    assert set(statuses(home, ids)) == {"rejected"}


@pytest.mark.process
def test_ctrl_c_at_the_question_of_many(home: Home) -> None:
    """Ctrl-C at the one question changes none of them."""
    ids = [each.id for each in home.raised("1", "2")]
    screen = home.on_terminal("approve", *ids, "-r", "x", answer=CTRL_C)
    assert screen.code == 130
    assert statuses(home, ids) == ["pending", "pending"]


@pytest.mark.process
def test_one_that_changed_meanwhile_fails_alone(home: Home) -> None:
    """Of many that were shown, the one that changed before the answer is a conflict; the others are decided."""
    ids = [each.id for each in home.raised("1", "2", "3")]
    with home.terminal("approve", *ids, "-r", "x") as terminal:
        terminal.wait_for("[y/N] ")
        with home.store() as store:
            record = store.get(ids[1])
            store.reject(record.id, etag=record.etag, key=key(), reason="meanwhile")
        terminal.type("y\n")
        screen = terminal.finish()
    assert screen.code == 7
    assert f"{ids[1]} is rejected and cannot be approved" in screen.words
    assert statuses(home, ids) == ["approved", "rejected", "approved"]


def test_what_fell_due_is_written_down_first(home: Home) -> None:
    """A command that changes something completes the audit log with the limits that have passed."""
    (over,) = home.approved("1", ago=timedelta(hours=2), for_=timedelta(hours=1))
    (fresh,) = home.raised("2")
    assert home.run("approve", fresh.id, "-y").code == 0
    with home.store() as store:
        last = store.history(over.id)[-1]
    assert (last.activity, last.time) == ("Limit reached", over.expires_at)
    assert last.time < now()

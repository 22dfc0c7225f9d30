"""`list` and `audit log` over several tenants whose stores are shared ones: asked side by side, each failing alone."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from threading import Barrier, Event

import msgspec
import pytest
from tests.cli.home import Home, Result, key, now
from tests.signin.test_access_tokens import token
from tests.store.http.scripted import SECONDS, Handler, Server, Step, answer, refuse, serving
from tests.support.people import FOREIGN, HOME, RESOURCE, SettableClock, asking

from supportaccess.domain.audit import Activity, AuditEntry
from supportaccess.domain.records import AccessRequest, Actor, ActorKind

TENANTS = {HOME: "contoso", RESOURCE: "fabrikam", FOREIGN: "tailspin"}
TOKENS = {"SUPPORTACCESS_ACCESS_TOKEN": " ".join(map(token, TENANTS))}
COMMANDS = pytest.mark.parametrize("command", ["list", "audit log"])


@pytest.fixture
def server() -> Iterator[Server]:
    """Return a server that says what a test wants."""
    with serving() as server:
        yield server


@pytest.fixture
def remote(new_home: Home, server: Server) -> Home:
    """Return a home with three tenants, all of them at the server."""
    for tenant_id, alias in TENANTS.items():
        done = new_home.run("tenant", "set", tenant_id, "--alias", alias, "--endpoint", server.url)
        assert done.code == 0, done.err
    return new_home


def run(home: Home, *arguments: str) -> Result:
    return home.run(*arguments, env=TOKENS)


def each(answers: Mapping[str, Step], *, together: Barrier | None = None) -> list[Step]:
    """Answer each tenant's request with its own answer, whichever comes first.

    `together`: nobody is answered before all have asked.
    """
    by_token = {f"Bearer {token(tenant_id)}": step for tenant_id, step in answers.items()}

    def step(handler: Handler) -> None:
        if together is not None:
            together.wait(SECONDS)
        by_token[handler.headers["Authorization"]](handler)

    return [step] * len(answers)


def page(rows: Sequence[msgspec.Struct], **more: object) -> Step:
    return answer(200, msgspec.json.encode({"value": rows, **more}))


def entry(tenant_id: str, hour: int) -> AuditEntry:
    """Return an entry of a tenant's log."""
    return AuditEntry(
        format_version=1,
        sequence=hour,
        time=now() - timedelta(hours=hour),
        tenant_id=tenant_id,
        activity=Activity.REQUEST_CREATED,
        actor=Actor(kind=ActorKind.USER, tenant_id=tenant_id, object_id="o", display_name="Ada"),
    )


def requests(home: Home, *hours: int) -> list[AccessRequest]:
    """Return requests that were made so many hours ago."""
    made = []
    for hour in hours:
        with home.store(clock=SettableClock(now() - timedelta(hours=hour))) as store:
            made.append(store.raise_request(asking(str(hour)), key=key()))
    return made


def rows_of(home: Home, command: str) -> Sequence[msgspec.Struct]:
    """Return a row of what the command lists."""
    return requests(home, 1) if command == "list" else [entry(HOME, 1)]


class TestSideBySide:
    def test_all_are_asked_before_any_answers(self, remote: Home, server: Server) -> None:
        """The first row waits for the slowest tenant, not for one after the other; rows are merged in order."""
        one, two, three = requests(remote, 3, 2, 1)
        answers = {HOME: page([two]), RESOURCE: page([three]), FOREIGN: page([one])}
        server.will(*each(answers, together=Barrier(3)))
        listed = run(remote, "list", "--all-tenants", "--sort", "createdAt", "-o", "json")

        assert listed.code == 0, listed.err
        expected = [(one.id, FOREIGN), (two.id, HOME), (three.id, RESOURCE)]
        assert [(row["id"], row["tenantId"]) for row in listed.json] == expected

    def test_logs_are_merged_by_time(self, remote: Home, server: Server) -> None:
        """Entries of several logs come merged, the newest first, each with its tenant: in a pipe, on a terminal too."""
        answers = {
            HOME: page([entry(HOME, 1), entry(HOME, 4)]),
            RESOURCE: page([entry(RESOURCE, 2)]),
            FOREIGN: page([entry(FOREIGN, 3)]),
        }
        server.will(*each(answers, together=Barrier(3)))
        logged = run(remote, "audit", "log", "-t", "contoso", "-t", "fabrikam", "-t", "tailspin")

        assert logged.code == 0, logged.err
        assert [line.split("\t")[-1] for line in logged.lines] == [HOME, RESOURCE, FOREIGN, HOME]

        server.will(*each(answers))
        screen = remote.on_terminal("audit", "log", "--all-tenants", env=TOKENS)

        assert [line.split()[-1] for line in screen.lines] == ["TENANT", "contoso", "fabrikam", "tailspin", "contoso"]

    def test_pages_are_read_ahead(self, remote: Home, server: Server) -> None:
        """Every tenant's next page is under way while the rows of the first ones are printed."""
        records = requests(remote, 4, 3, 2, 1)
        link = f"{server.url}/v1/access-requests?skipToken=next"
        first = {HOME: page(records[:1], nextLink=link), RESOURCE: page(records[1:2], nextLink=link)}
        second = {HOME: page(records[2:3]), RESOURCE: page(records[3:])}
        server.will(*each(first, together=Barrier(2)), *each(second, together=Barrier(2)))
        listed = run(remote, "list", "-t", "contoso", "-t", "fabrikam", "--all", "--sort", "createdAt", "-o", "ids")

        assert listed.lines == [record.id for record in records]

    def test_what_was_left_out_is_counted_side_by_side(self, remote: Home, server: Server) -> None:
        """The counts of all tenants are asked for together, and added up."""
        records = requests(remote, 3, 2, 1)
        pages = dict(zip(TENANTS, (page([record]) for record in records), strict=True))
        counts = {
            tenant_id: answer(200, {"count": number}) for tenant_id, number in zip(TENANTS, (1, 5, 7), strict=True)
        }
        server.will(*each(pages, together=Barrier(3)), *each(counts, together=Barrier(3)))
        listed = run(remote, "list", "--all-tenants", "--limit", "2", "-o", "ids")

        assert (listed.code, len(listed.lines)) == (0, 2)
        assert listed.err == "Showing 2 of 13: 11 left out. Use --all or --limit N.\n"

    @pytest.mark.process
    @COMMANDS
    def test_ctrl_c_ends_at_once(self, remote: Home, server: Server, command: str) -> None:
        """Ctrl-C does not wait for servers that do not answer: exit 130."""
        together, answered = Barrier(len(TENANTS) + 1), Event()

        def hang(handler: Handler) -> None:
            together.wait(SECONDS)
            handler.server.over.wait(SECONDS)
            answered.set()
            handler.close_connection = True

        server.will(*[hang] * len(TENANTS))
        with remote.terminal(*command.split(), "--all-tenants", env=TOKENS) as terminal:
            together.wait(SECONDS)
            screen = terminal.interrupt()

        assert (screen.code, screen.words.endswith("Interrupted.")) == (130, True)
        assert not answered.is_set()


class TestFailures:
    @COMMANDS
    def test_one_tenants_is_told_as_that(self, remote: Home, server: Server, command: str) -> None:
        """The others are printed; which one failed, why and what mends it is told, and the exit code is 7."""
        rows = rows_of(remote, command)
        no = refuse(403, "Forbidden", "this needs a permission", hint="Ask for the role Reader.")
        answers = {HOME: page(rows), RESOURCE: no, FOREIGN: page([])}
        server.will(*each(answers))
        result = run(remote, *command.split(), "--all-tenants", "-o", "json")

        assert (result.code, len(result.json)) == (7, 1)
        assert result.err.splitlines() == [
            f"Error: tenant fabrikam ({RESOURCE}): this needs a permission",
            "Try:   Ask for the role Reader.",
            "Request ID: request-1",
            "1 of 3 tenants failed: see above.",
        ]
        server.will(*each(answers))
        screen = remote.on_terminal(*command.split(), "--all-tenants", env=TOKENS)

        assert screen.code == 7
        assert f"tenant fabrikam ({RESOURCE}): this needs a permission" in screen.words

    @COMMANDS
    @pytest.mark.parametrize("output", ["json", "table", "csv", "tsv", "yaml"])
    def test_all_tenants_are_no_empty_list(self, remote: Home, server: Server, command: str, output: str) -> None:
        """When every tenant fails nothing is printed that says that there is nothing, and the exit code is 7."""
        server.will(*each(dict.fromkeys(TENANTS, refuse(403, "Forbidden", "no"))))
        result = run(remote, *command.split(), "--all-tenants", "-o", output)

        assert (result.code, result.out) == (7, "")
        for tenant_id, alias in TENANTS.items():
            assert f"Error: tenant {alias} ({tenant_id}): no" in result.err
            assert f"supportaccess doctor --tenant {alias}" in result.err
        assert result.err.endswith("3 of 3 tenants failed: see above.\n")

    def test_in_the_middle_of_a_list(self, remote: Home, server: Server) -> None:
        """A tenant that fails at its second page is told; what was read of it is printed, and the others go on."""
        records = requests(remote, 4, 3, 2)
        link = f"{server.url}/v1/access-requests?skipToken=next"
        first = {HOME: page(records[:1], nextLink=link), RESOURCE: page(records[1:])}
        server.will(*each(first, together=Barrier(2)), refuse(404, "NotFound", "gone"))
        listed = run(remote, "list", "-t", "contoso", "-t", "fabrikam", "--all", "--sort", "createdAt", "-o", "ids")

        assert (listed.code, listed.lines) == (7, [record.id for record in records])
        assert f"Error: tenant contoso ({HOME}): gone" in listed.err

    def test_a_count_that_fails_is_not_made_up(self, remote: Home, server: Server) -> None:
        """When a tenant cannot say how many were left out, no number is told."""
        records = requests(remote, 2, 1)
        pages = {HOME: page(records[:1]), RESOURCE: page(records[1:])}
        counts = {HOME: answer(200, {"count": 1}), RESOURCE: refuse(403, "Forbidden", "no more")}
        server.will(*each(pages, together=Barrier(2)), *each(counts))
        listed = run(remote, "list", "-t", "contoso", "-t", "fabrikam", "--limit", "1")

        assert listed.code == 7
        assert "Showing 1: how many were left out is not known." in listed.err

    @COMMANDS
    def test_of_a_profile_is_that_tenants(self, remote: Home, server: Server, command: str) -> None:
        """With --all-tenants a broken profile is told, with its file and line, and the other tenants are listed."""
        path = remote.config / "tenants" / f"{RESOURCE}.toml"
        path.write_text("store = 'embedded'\nalias = ")
        rows = rows_of(remote, command)
        server.will(*each({HOME: page(rows), FOREIGN: page([])}))
        result = run(remote, *command.split(), "--all-tenants", "-o", "json")

        assert (result.code, len(result.json)) == (7, 1)
        assert f"Error: tenant {RESOURCE}: {path} is broken: " in result.err
        assert "line 2" in result.err
        assert path.read_text() == "store = 'embedded'\nalias = "

    def test_of_every_profile_is_told_of_each(self, remote: Home) -> None:
        """When no profile can be read every file is named, and nothing is printed."""
        for tenant_id in TENANTS:
            (remote.config / "tenants" / f"{tenant_id}.toml").write_text("[")
        result = run(remote, "list", "--all-tenants", "-o", "json")

        assert (result.code, result.out) == (7, "")
        assert all(f"{tenant_id}.toml is broken" in result.err for tenant_id in TENANTS)


def test_the_log_of_one_request_in_the_tenants_that_have_it(home: Home) -> None:
    """--request over several tenants takes those that know the request; when none does it is not found."""
    home.add_tenant(RESOURCE, "fabrikam")
    home.add_tenant(FOREIGN, "tailspin")
    record = home.crossing(RESOURCE, approve=True)
    logged = home.run("audit", "log", "--all-tenants", "--request", record.id, "-o", "json")

    assert logged.code == 0, logged.err
    assert {row["tenantId"] for row in logged.json} == {HOME, RESOURCE}
    assert {row["accessRequestId"] for row in logged.json} == {record.id}

    unknown = home.run("audit", "log", "--all-tenants", "--request", "99999999", "-o", "json")

    assert (unknown.code, unknown.out) == (5, "")


@COMMANDS
def test_all_and_a_limit_contradict(home: Home, command: str) -> None:
    """--all with --limit is wrong usage: neither is silently passed over."""
    result = home.run(*command.split(), "--all", "--limit", "50")

    assert (result.code, result.out) == (2, "")
    assert "--all and --limit contradict each other" in result.err


@pytest.mark.parametrize(
    ("arguments", "env", "told"),
    [
        (["-o", "jsno"], {}, "--output is 'jsno', which is no output format; did you mean json?"),
        (["--output=cvs"], {}, "--output is 'cvs', which is no output format; did you mean csv?"),
        (["-o", "12"], {}, "--output is '12', which is no output format\n"),
        ([], {"SUPPORTACCESS_OUTPUT": "tabel"}, "SUPPORTACCESS_OUTPUT is 'tabel', which is no output format; did you"),
    ],
)
def test_a_mistyped_format(home: Home, arguments: list[str], env: dict[str, str], told: str) -> None:
    """A format that is none is wrong usage, with the nearest one and all of them."""
    result = home.run("list", *arguments, env=env)

    assert (result.code, result.out) == (2, "")
    assert told in result.err
    assert "Use one of table, json, jsonl, csv, tsv, yaml, ids." in result.err
    assert told.strip() in home.on_terminal("list", *arguments, env=env).words

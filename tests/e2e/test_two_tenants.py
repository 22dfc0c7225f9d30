"""A request that crosses two tenants, lived through by two administrators and an auditor who signed in to a store.

Ada administers both tenants, Hal that of the support request alone, and Otto audits there. What the resource tenant
does with its access is nobody's business there: every byte that they are shown is held against what they saw before.
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

import pytest
from tests.cli.home import Home
from tests.e2e.signing_in import PROVIDERS_ROLES, by_code, raised
from tests.support.identity_provider import ADA, HAL, OTTO, IdentityProvider, identity_provider, object_id
from tests.support.people import HOME, RESOURCE
from tests.support.servers import Answer
from tests.support.sign_in import Store, User, running

__all__ = ["identity_provider"]

FORMATS = ("table", "json", "jsonl", "csv", "tsv", "yaml", "ids")
FILTERS = (
    (), ("--approved",), ("--active",), ("--pending",), ("-s", "revoked"), ("-s", "completed"), ("-s", "expired"),
    ("--resource-tenant", RESOURCE), ("--search", "Erin"), ("--sort", "-updatedAt"), ("--sort", "createdAt"),
    ("--limit", "1"), ("--all",), ("--active", "--fail-if-any"), ("--query", "length(@)"),
)  # fmt: skip
QUERIES = (
    "", "?status=approved", "?status=revoked", "?approvedAccess=true", "?orderBy=createdAt", "?orderBy=-createdAt",
    "?top=1", f"?resourceTenantId={RESOURCE}", "?search=Ada",
)  # fmt: skip
DIFFERS_EACH_TIME = {"x-ms-request-id", "date"}


class Walk(NamedTuple):
    """Two requests alike, both approved by Ada in both tenants, and everybody in their own home."""

    store: Store
    ada: User
    hal: User
    otto: User
    one: str
    other: str


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, identity_provider: IdentityProvider) -> Iterator[Store]:
    """Run a store of two tenants."""
    with running(tmp_path_factory.mktemp("store"), identity_provider) as store:
        yield store


@pytest.fixture(scope="module")
def walk(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """Let everybody sign in, and Ada approve two requests."""
    folder = tmp_path_factory.mktemp("homes")
    ada, hal, otto = (store.user(folder / name) for name in ("ada", "hal", "otto"))
    for user, login, tenant, alias in (
        (ada, ADA, HOME, "contoso"), (ada, ADA, RESOURCE, "fabrikam"), (hal, HAL, HOME, "contoso"),
        (otto, OTTO, HOME, "contoso"),
    ):  # fmt: skip
        where = ("--endpoint", store.url, "--tenant", tenant, "--alias", alias)
        said = by_code(user, login, "login", *where, "--allow-plaintext-cache")
        assert said.code == 0, said.text
    one, other = (raised(store, ticket, resource_tenant=RESOURCE, requestedSeconds=86400) for ticket in ("T-1", "T-2"))
    return Walk(store, ada, hal, otto, one, other)


def test_from_the_question_to_the_end(walk: Walk) -> None:
    """Asked, refused to who is in one tenant alone, approved by who is in both, revoked in one, closed in the other."""
    store, ada, hal, otto, one, other = walk
    assert ada.run("list", "-t", "fabrikam", "-o", "ids").out == ""
    half = hal.run("approve", one, "--yes")
    assert (half.code, half.out) in {(3, ""), (4, "")}
    assert f"supportaccess login --tenant {RESOURCE}" in half.err
    for each in (one, other):
        approved = ada.run("approve", each, "-t", "contoso", "--for", "8h", "--yes", "-r", "agreed", "-o", "json")
        assert approved.code == 0, approved.err
    assert set(ada.run("list", "--active", "-t", "fabrikam", "-o", "ids").lines) == {one, other}

    tell_all_that_is_tried(walk)
    before = all_that_is_seen(walk)
    revoked = ada.on_terminal("revoke", one, "-t", "fabrikam", "-r", "seen enough", answer="y\n")
    assert revoked.code == 0, revoked.text
    assert ada.run("show", one, "-t", "fabrikam", "-o", "json").json["status"] == "revoked"
    after = all_that_is_seen(walk)

    assert len(before) > 150
    assert before.keys() == after.keys()
    assert {what: (before[what], after[what]) for what in before if before[what] != after[what]} == {}
    assert what_is_tried(walk, one) == what_is_tried(walk, other)

    for ticket in ("T-1", "T-2"):
        close(store, ticket)
    assert named(ada.run("show", one, "-t", "contoso", "-o", "json").out, walk, one) == named(
        ada.run("show", other, "-t", "contoso", "-o", "json").out, walk, other
    )
    ends = {each: ada.run("show", each, "-t", "fabrikam", "-o", "json").json["status"] for each in (one, other)}
    assert ends == {one: "revoked", other: "completed"}
    histories = [
        otto.run("audit", "log", "--request", each, "--all", "--oldest-first", "-o", "json").json
        for each in (one, other)
    ]
    assert [entry["activity"] for entry in histories[0]] == [entry["activity"] for entry in histories[1]]
    assert otto.run("audit", "verify").code == 0


def tell_all_that_is_tried(walk: Walk) -> None:
    """Have the log say that Otto reads it, and that Hal may not, as often as it does within an hour."""
    assert walk.otto.run("audit", "log", "-t", "contoso").code == 0
    denied = [walk.store.server.ask("/v1/audit-events", token=token_of(walk.hal)).status for _ in range(20)]
    assert denied == [403] * 20


def all_that_is_seen(walk: Walk) -> dict[str, object]:
    """Return every byte that people in the support request tenant can read, by what they did to read it.

    The commands are many, and run within this process.
    """
    seen: dict[str, object] = {}
    for name, user in (("ada", walk.ada), ("hal", walk.hal)):
        for arguments in reading(walk):
            result = Home.run(user, *arguments, "-t", "contoso")
            out = without_ages(result.out) if "table" in arguments else result.out
            seen[f"{name}: {' '.join(arguments)}"] = (result.code, out, result.err)
        for arguments in (("list",), ("list", "--approved"), ("show", walk.one), ("show", walk.other)):
            screen = Home.on_terminal(user, *arguments, "-t", "contoso", columns=200)
            seen[f"{name} on a terminal: {' '.join(arguments)}"] = (screen.code, without_ages(screen.text))
    for arguments in auditing(walk):
        result = Home.run(walk.otto, "audit", *arguments, "-t", "contoso")
        seen[f"otto: {' '.join(arguments)}"] = (result.code, without_moments(result.out), result.err)
    for name in ("export", "export.zip"):
        result = walk.otto.run("audit", "export", name, "-t", "contoso")
        seen[f"otto: {name}"] = (result.code, result.out, result.err, taken_out(walk.otto.folder / name))
    for name, user in (("hal", walk.hal), ("otto", walk.otto)):
        token = token_of(user)
        for path in paths(walk):
            seen[f"{name}: GET {path}"] = bare(walk.store.server.ask(path, token=token))
    return seen


def reading(walk: Walk) -> Iterator[Sequence[str]]:
    for format_ in FORMATS:
        yield ("list", "-o", format_)
        yield ("list", "--approved", "-o", format_)
    for filters in FILTERS:
        yield ("list", *filters, "-o", "json")
    for each in (walk.one, walk.other):
        for format_ in FORMATS:
            yield ("show", each, "-o", format_)
    yield ("show", "T-1", "-o", "json")
    yield ("watch", "--from-start", "--once", "-o", "jsonl")


def auditing(walk: Walk) -> Iterator[Sequence[str]]:
    for format_ in FORMATS:
        yield ("log", "--all", "-o", format_)
    for shape in ("directoryAudit", "ocsf"):
        yield ("log", "--all", "--shape", shape, "-o", "json")
    yield ("log", "--request", walk.one, "-o", "json")
    yield ("log", "--activity", "Approval removed", "-o", "json")
    yield ("log", "--checkpoint")
    yield ("verify", "-o", "json")
    for each in (walk.one, walk.other, "T-1"):
        yield ("receipt", each)
    yield ("receipt", "--entry", "0")
    for format_ in FORMATS:
        yield ("who", "-o", format_)
        yield ("lint", "-o", format_)
    yield ("lint", "--fail-if-any", "-o", "json")
    for arguments in (("-o", "json"), ("-o", "csv"), ("-o", "tsv"), ("--html", "-")):
        yield ("report", "--since", "2026-01-01", *arguments)


def paths(walk: Walk) -> Iterator[str]:
    """Yield every path that can be read, by the server's own description, and some of its queries."""
    described = walk.store.server.ask("/openapi.json").json["paths"]
    given = {"text": walk.one[:8], "atMost": "1000"}
    for path, methods in described.items():
        if "get" not in methods or not methods["get"]["security"] or path == "/v1/me":
            continue
        required = [each for each in methods["get"]["parameters"] if each["in"] == "query" and each["required"]]
        query = "&".join(f"{each['name']}={given[each['name']]}" for each in required)
        for each in (walk.one, walk.other) if "{requestId}" in path else ("",):
            yield f"{path.replace('{requestId}', each)}{'?' + query if query else ''}"
    for query in QUERIES:
        yield f"/v1/access-requests{query}"
        if "top" not in query and "order" not in query:
            yield f"/v1/access-requests/count{query}"


def what_is_tried(walk: Walk, full: str) -> list[object]:
    """Return what an administrator there is told who tries to end the access, or to decide again."""
    tried: list[object] = []
    shown = walk.hal.run("show", full, "-o", "json").json
    for arguments in (
        ("revoke", full, "--yes"), ("reject", full, "--yes", "-r", "no"), ("approve", full, "--yes"),
        ("revoke", full, "--dry-run"), ("approve", full, "--yes", "--for", "1h"),
    ):  # fmt: skip
        result = walk.hal.run(*arguments, "-o", "json")
        tried.append((arguments[0], result.code, named(result.out, walk, full), named(result.err, walk, full)))
    for verb, etag in (("revoke", shown["etag"]), ("revoke", '"stale"'), ("approve", shown["etag"])):
        answer = walk.store.server.ask(
            f"/v1/access-requests/{full}/{verb}",
            method="POST",
            token=token_of(walk.hal),
            headers={"If-Match": etag, "Idempotency-Key": f"{verb} {etag} {full}"},
        )
        status, headers, body = bare(answer)
        tried.append((verb, status, headers, named(body.decode(), walk, full)))
    return tried


def named(text: str, walk: Walk, full: str) -> str:
    """Return what is told of one of the two requests, without what tells it from the other: its IDs, times and tags."""
    ticket = "T-1" if full == walk.one else "T-2"
    text = text.replace(full, "ID").replace(full[:8], "SHORT").replace(ticket, "TICKET")
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d[0-9:.]*(Z|[+-]\d\d:\d\d)?", "TIME", text)
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "REQUEST", text)
    return re.sub(r'(etag"?: *)\S+', r"\1TAG", text)


def without_ages(text: str) -> str:
    """Return a table without what changes by the minute, ages and time left, and without the blanks that they shift."""
    return re.sub(r" +", " ", re.sub(r"\b(in )?(\d+[smhd])+( ago)?\b|\bnow\b", "AGE", text))


def without_moments(text: str) -> str:
    """Return a report without the moment at which it was made, where its period ends too."""
    text = re.sub(r'"(madeAt|until)": "[^"]+"', r'"\1": "NOW"', text)
    return re.sub(r"(to before|Made by supportaccess \S+ on) <time [^<]+</time>", r"\1 NOW", text)


def taken_out(path: Path) -> dict[str, bytes]:
    """Return the files of an export, a folder or a zip file, and leave nothing of it."""
    if path.is_dir():
        files = {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}
        shutil.rmtree(path)
        return files
    with ZipFile(path) as file:
        files = {name: file.read(name) for name in file.namelist()}
    path.unlink()
    return files


def bare(answer: Answer) -> tuple[int, Mapping[str, str], bytes]:
    """Return an answer without the ID of its request and the date."""
    kept = {name: value for name, value in answer.headers.items() if name not in DIFFERS_EACH_TIME}
    return answer.status, kept, answer.body


def token_of(user: User) -> str:
    """Return the access token that a user's login left in the cache."""
    kept = json.loads(user.cache(HOME).read_text())
    (entry,) = kept["AccessToken"].values()
    return str(entry["secret"])


def close(store: Store, ticket: str) -> None:
    """Close a support request, as the provider."""
    token = store.provider.token(HOME, oid=object_id("Provider"), roles=PROVIDERS_ROLES, app_only=True)
    answer = store.server.ask(
        f"/v1/support-requests/{ticket}/close",
        method="POST",
        token=token,
        headers={"Idempotency-Key": f"close {ticket}"},
    )
    assert answer.status == 200, answer.body

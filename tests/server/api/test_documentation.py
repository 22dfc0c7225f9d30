"""docs/rest.md and the server's own description say what the server does."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.server.api.acts import approved, new_key, raised
from tests.server.api.test_matrix import ROUTES
from tests.support.apis import Api
from tests.support.people import HOME, RESOURCE
from tests.support.requirements import require

from supportaccess.domain.records import Status
from supportaccess.server.web.errors import STATUSES
from supportaccess.server.web.routing import Operation

PAGE = (Path(__file__).parents[3] / "docs" / "rest.md").read_text("utf-8")


class Section(NamedTuple):
    """One route on the page: its heading and what stands below it."""

    heading: str
    text: str

    @property
    def examples(self) -> list[str]:
        """What can be run."""
        return re.findall(r"^```sh\n(.*?)^```", self.text, re.DOTALL | re.MULTILINE)


SECTIONS = [Section(*each) for each in re.findall(r"^### (\S+ /\S*)\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE)]
EXAMPLES = [
    pytest.param(example, id=f"{section.heading}-{number}")
    for section in SECTIONS
    for number, example in enumerate(section.examples)
]


def heading_of(operation: Operation) -> str:
    camel = re.sub(r"_(\w)", lambda match: match[1].upper(), operation.path)
    return f"{operation.method} {camel}"


def test_every_route_is_on_the_page() -> None:
    """The page has a section with an example for every route, and for nothing else."""
    assert {section.heading for section in SECTIONS} == {heading_of(operation) for operation in ROUTES}
    assert all(section.examples for section in SECTIONS)


@pytest.mark.parametrize("operation", ROUTES, ids=heading_of)
def test_permissions_and_parameters_are_on_the_page(operation: Operation) -> None:
    """A section names the permission that its route needs."""
    (text,) = [section.text for section in SECTIONS if section.heading == heading_of(operation)]
    needed = re.findall(r"Needs `([\w.]+)`", text)

    assert needed == ([operation.permission] if operation.permission else [])


def test_every_code_is_on_the_page() -> None:
    """The table of errors has every code with its status."""
    rows = re.findall(r"^\| `(\w+)` \| (\d{3}) \|", PAGE, re.MULTILINE)

    assert dict(rows) == {code: str(int(status)) for code, status in STATUSES.items()}


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_run(own_api: Api, example: str) -> None:
    """Every example of the page is answered with a success by a server."""
    require(shutil.which("curl"), "curl: apt-get install curl")
    asked = {"resourceTenantId": RESOURCE} if "RESOURCE_TOKEN" in example else {}
    make = approved if "/revoke" in example else raised
    record = make(own_api, supportRequestId="2603010050001234", **asked)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", example],
        env={
            "PATH": "/usr/bin:/bin",
            "STORE": own_api.url,
            "TOKEN": own_api.token(),
            "RESOURCE_TOKEN": own_api.token(RESOURCE),
            "TENANT": HOME,
            "ID": record["id"],
            "ETAG": record["etag"],
            "KEY": new_key(),
            "NO_PROXY": "*",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout


def test_the_page_for_browsers_loads_nothing(api: Api) -> None:
    """The page has no script, no form and no address but its own, and says so to the browser."""
    answer = api.ask("GET", "/docs", token=None)
    page = answer.body.decode()

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not re.findall(r"<(?:script|link|img|iframe|form|object)|src=|@import|url\(", page)
    assert all(target.startswith("#") or target == "openapi.json" for target in re.findall(r'href="([^"]*)"', page))
    for operation in ROUTES:
        if operation.path not in {"/docs", "/openapi.json"}:
            assert heading_of(operation) in page


def test_links_within_the_page_for_browsers(api: Api) -> None:
    """What the page points to is on it."""
    page = api.ask("GET", "/docs", token=None).body.decode()

    assert set(re.findall(r'href="#([^"]*)"', page)) <= set(re.findall(r'id="([^"]*)"', page))


def test_names_that_may_grow_are_open_in_answers_alone(api: Api) -> None:
    """An answer may have a name that only a later version knows; a parameter may not."""
    described = api.ask("GET", "/openapi.json", token=None).json
    for name in ("Status", "Source", "Activity", "Verdict", "What", "Confidence", "ActorKind"):
        known, any_text = described["components"]["schemas"][name]["anyOf"]
        assert known["enum"]
        assert any_text == {"type": "string", "minLength": 1, "maxLength": 128}
    parameters = described["paths"]["/v1/access-requests"]["get"]["parameters"]
    (status,) = [each["schema"]["items"] for each in parameters if each["name"] == "status"]
    assert status["enum"] == sorted(Status)
    assert "anyOf" not in status


def test_a_value_of_a_filter_may_be_repeated(api: Api) -> None:
    """What the store takes as a set is described as the list that it is in a query string, and read so."""
    described = api.ask("GET", "/openapi.json", token=None).json
    (status,) = [
        each["schema"]
        for each in described["paths"]["/v1/access-requests"]["get"]["parameters"]
        if each["name"] == "status"
    ]

    assert set(status) == {"type", "items", "default"}
    assert api.ask("GET", "/v1/access-requests?status=pending&status=pending").status == 200


def test_the_description_has_every_route_and_its_refusals(api: Api) -> None:
    """Every described route needs a token unless it says so, and every status of the API is of some route."""
    described = api.ask("GET", "/openapi.json", token=None).json
    operations = {
        f"{method.upper()} {path}": operation
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }
    statuses = {status for operation in operations.values() for status in operation["responses"]}

    assert described["openapi"] == "3.1.0"
    assert len({operation["operationId"] for operation in operations.values()}) == len(operations)
    assert {name for name, operation in operations.items() if not operation["security"]} == {
        "GET /.well-known/supportaccess-configuration",
        "GET /healthz",
        "GET /metrics",
        "GET /readyz",
    }
    # A 405 is of no described route: it is what the others are answered with.
    assert {str(int(status)) for status in STATUSES.values()} - {"405"} == statuses - {"200", "201", "304"}

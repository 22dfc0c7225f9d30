"""The server is held against its own description by schemathesis: all checks, a fixed seed, so many cases."""

import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tests.server.api.acts import approved, raised
from tests.support.apis import Api
from tests.support.events import CREATED, event

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent


@pytest.mark.timeout(900)
def test_the_description_is_true(own_api: Api, tmp_path: Path) -> None:
    """Whatever is made up from the description is answered as it says: statuses, headers, bodies, refusals."""
    raised(own_api)
    approved(own_api)
    lines = tmp_path / "events.ndjson"
    lines.write_bytes(b"\n".join(msgspec.json.encode(event(CREATED, minute)) for minute in range(0, 10_000, 100)))
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"),
            *("--config-file", str(HERE / "schemathesis.toml")),
            *("run", f"{own_api.url}/openapi.json", "--header", f"Authorization: Bearer {own_api.token()}"),
            *("--checks", "all", "--seed", "1", "--max-examples", "20", "--no-color"),
        ],
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
        cwd=tmp_path,
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": "tests.server.api.schemathesis_hooks",
            "PYTHONPATH": str(ROOT),
            "SERVER_TIME": own_api.clock().isoformat(),
            "EVENT_LINES": str(lines),
        },
    )

    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]
    counted = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert counted is not None, done.stdout[-2000:]
    assert counted[1] == counted[2]
    assert int(counted[2]) > 500

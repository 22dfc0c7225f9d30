"""What may be set for webhooks, and what `serve --check` says of it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.server.webhooks.receiver import SECRET, receiving
from tests.support.program import installed_program
from tests.support.servers import SECONDS, environment, settings_file

from supportaccess.errors import InvalidInput
from supportaccess.server.settings_file import read_settings

PAGE = Path(__file__).parents[3] / "docs" / "operate" / "webhooks.md"
GOOD = '[[webhooks]]\nname = "siem"\nurl = "https://hooks.example/x?key=hunter2"\nsecret_variable = "SIEM"\n'


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "siem"\n', "", "webhooks.name: it is missing"),
        ('"siem"', '"no blanks"', "is not a name"),
        ("[[webhooks]]", GOOD + "[[webhooks]]", "more than once"),
        ("https:", "http:", "must begin with https://"),
        ("https:", "file:", "is not a URL that begins with https://"),
        ("https://", "https://user:hunter2@", "neither a user nor a fragment"),
        ('secret_variable = "SIEM"', "", "one of secret_file and secret_variable"),
        ("secret_variable", "secret", "there is no key webhooks.secret; did you mean"),
        ("name =", 'events = ["creatd"]\nname =', "webhooks"),
        ("name =", 'tenants = ["44444444-4444-4444-8444-444444444444"]\nname =', "not in identity.tenants"),
        ("name =", 'allowed_networks = ["inside"]\nname =', "neither an IP address nor a network"),
        ("name =", "timeout_seconds = 600\nname =", "webhooks"),
    ],
)
def test_mistakes_are_told(old: str, new: str, said: str, tmp_path: Path) -> None:
    """Each mistake is told with its key, and a secret in a URL is not repeated."""
    assert old in GOOD
    with pytest.raises(InvalidInput) as refused:
        read_settings(settings_file(tmp_path, limits=GOOD.replace(old, new, 1)), {})

    assert said in refused.value.message
    assert "hunter2" not in f"{refused.value.message} {refused.value.hint}"


def test_http_takes_the_operators_word_for_this_machine(tmp_path: Path) -> None:
    """Plain HTTP is for loopback that is allowed, and for nothing else, whatever is allowed."""
    allowed = 'allowed_networks = ["0.0.0.0/0"]\nname ='
    here = GOOD.replace("https://hooks.example", "http://localhost:8080")
    assert read_settings(settings_file(tmp_path, limits=here.replace("name =", allowed)), {}).webhooks
    for wrong in (here, GOOD.replace("https:", "http:").replace("name =", allowed)):
        with pytest.raises(InvalidInput, match="must begin with https://"):
            read_settings(settings_file(tmp_path, limits=wrong), {})


@pytest.mark.process
def test_check_says_what_is_posted_where(tmp_path: Path) -> None:
    """In words, with the host alone; a missing secret, a host inside and an unknown one are each told."""
    text = GOOD + GOOD.replace("siem", "inside").replace("hooks.example", "localhost").replace("SIEM", "GOOD")
    done = subprocess.run(
        [installed_program(), "serve", "--check", "--config", settings_file(tmp_path, limits=text)],
        capture_output=True,
        env=environment(tmp_path, {"GOOD": SECRET}),
        text=True,
        timeout=SECONDS,
        check=False,
    )

    assert (
        "siem posts every event of 11111111-1111-4111-8111-111111111111 to https://hooks.example, signed" in done.stdout
    )
    assert "webhook siem: the variable SIEM holds no secret" in done.stderr
    assert "webhook siem: there is no host hooks.example" in done.stderr
    assert re.search(r"webhook inside: localhost is at (127.0.0.1|::1), which is no public address", done.stderr)
    assert not any(secret in done.stdout + done.stderr for secret in ("hunter2", SECRET))


def test_the_receiver_of_the_page_verifies(tmp_path: Path) -> None:
    """The ten lines of the page take a message whose signature holds, and refuse any other."""
    import http.client
    import time

    from supportaccess.server.settings import WebhookSettings
    from supportaccess.server.webhooks.signing import headers_of, keys_of

    with receiving() as taken:
        port = taken.server_port
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    script = tmp_path / "receiver.py"
    script.write_text(code.replace("8080", str(port)))
    keys = keys_of(WebhookSettings(name="x", url="x", secret_variable="S"), {"S": SECRET})  # noqa: S106
    body = b'{"type": "accessRequest.created", "data": {"accessRequestId": "1"}}'
    with subprocess.Popen(
        [sys.executable, script], env={"SECRET": SECRET}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            good = headers_of(keys, "evt_1", int(time.time()), body)
            forged = good | {"webhook-signature": "v1,AAAA"}
            answers = []
            for headers in (good, forged):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
                deadline = time.monotonic() + SECONDS
                while True:
                    try:
                        connection.connect()
                        break
                    except ConnectionRefusedError:
                        assert time.monotonic() < deadline
                        time.sleep(0.05)
                connection.request("POST", "/", body, headers)
                try:
                    answers.append(connection.getresponse().status)
                except http.client.RemoteDisconnected:
                    answers.append(0)
                connection.close()
            assert process.stdout is not None
            assert process.stdout.readline() == "evt_1 accessRequest.created 1\n"
        finally:
            process.kill()

    assert answers == [204, 0]

"""Whose key it is, at the very first start of several processes or machines that share a database."""

import subprocess
from pathlib import Path

import pytest
from tests.cli.home import Home
from tests.cli.terminal import PATIENCE
from tests.support.people import HOME, asking, caller
from tests.support.program import installed_program

from supportaccess.errors import StoreRefused
from supportaccess.store.sql.checkpoints import sign_log
from supportaccess.store.sql.sqlite.open import open_embedded
from supportaccess.store.sql.store import SqlStore
from supportaccess.tlog.keys import Keys


@pytest.mark.process
def test_of_many_processes_at_once_there_is_one_key(tmp_path: Path) -> None:
    """However many make the key of one folder at the same time, all of them name the same."""
    home = Home(tmp_path)
    home.add_tenant(HOME, "contoso", default=True)
    with home.store():
        pass
    many = [
        subprocess.Popen(
            [installed_program(), "store", "key", "show"], stdout=subprocess.PIPE, env=home.environment, text=True
        )
        for _ in range(8)
    ]
    shown = [process.communicate(timeout=PATIENCE)[0] for process in many]

    assert [process.returncode for process in many] == [0] * 8
    assert len(set(shown)) == 1
    assert shown[0].count("\n") == 1


def test_a_second_machine_makes_no_key_of_its_own(tmp_path: Path) -> None:
    """Where logs were signed with a key that is elsewhere, none is made: it says what to copy, and then goes on."""
    engine = open_embedded(tmp_path / "store.db")
    first, second = Keys(tmp_path / "first"), Keys(tmp_path / "second")
    store = SqlStore(engine, caller(HOME))
    store.raise_request(asking("1"), key="1")
    note = sign_log(engine, first, HOME)
    with pytest.raises(StoreRefused, match="not in") as refused:
        sign_log(engine, second, HOME)
    assert not second.exists
    second.folder.mkdir(exist_ok=True)
    copied = second.folder / "signing.key"
    copied.write_bytes((first.folder / "signing.key").read_bytes())
    copied.chmod(0o600)

    assert refused.value.hint is not None
    assert "Copy signing.key" in refused.value.hint
    assert sign_log(engine, second, HOME) == note
    engine.close()

"""The store that an operator works on as a whole: the embedded one, or that of a server by its settings."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from supportaccess.cli.app.context import Context
from supportaccess.cli.app.local_account import local_account
from supportaccess.domain.records import Actor
from supportaccess.errors import InvalidInput, SupportAccessError
from supportaccess.store.sql.engine import Engine
from supportaccess.tlog.keys import Keys

_NEEDED = ("jwt", "litestar", "prometheus_client", "psycopg", "uvicorn")


@dataclass(frozen=True)
class Operated:
    """A database, what signs its logs, and who works on it."""

    engine: Engine
    keys: Keys
    actor: Actor


@contextmanager
def operated(context: Context, config: Path | None) -> Iterator[Operated]:
    """Open the embedded store, or the one of a server's settings. Raises what opening it raises."""
    if config is None:
        yield Operated(context.engine, context.keys, local_account())
        return
    engine, keys = _opened(config, context.environment)
    try:
        yield Operated(engine, keys, local_account())
    finally:
        engine.close()


def require_server() -> None:
    """Raise SupportAccessError unless what the server needs is installed."""
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise SupportAccessError(
            f"the server is not installed ({', '.join(missing)} missing)", hint="pip install 'supportaccess[server]'"
        )


def _opened(config: Path, environment: Mapping[str, str]) -> tuple[Engine, Keys]:
    """Open a server's database, whatever its logs are, and the folder of what signs them."""
    require_server()
    from supportaccess.server.database import keys_of, open_unchecked
    from supportaccess.server.settings_file import read_settings

    settings = read_settings(config, environment).database
    keys = keys_of(settings)
    if keys is None:
        raise InvalidInput(f"{config} names no folder of signing keys", hint="Set database.signing_keys.")
    return open_unchecked(settings), keys

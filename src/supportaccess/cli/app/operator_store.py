"""The store that an operator works on as a whole: the embedded one, or that of a server by its settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from supportaccess.cli.app.context import Context
from supportaccess.cli.app.local_account import local_account
from supportaccess.domain.records import Actor
from supportaccess.store.sql.engine import Engine
from supportaccess.tlog.keys import Keys


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
    from supportaccess.cli.serve import open_for_operator

    engine, keys = open_for_operator(config, context.environment)
    try:
        yield Operated(engine, keys, local_account())
    finally:
        engine.close()

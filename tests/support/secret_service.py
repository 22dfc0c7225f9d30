"""A secret service of a desktop, as PyGObject and libsecret give it to a program: one whose entries a test can see."""

import json
from pathlib import Path
from typing import Any

_GI = """
from types import SimpleNamespace as _Names

class _Error(Exception):
    pass

repository = _Names(GLib=_Names(Error=_Error))

def require_version(name, version):
    pass
"""
_REPOSITORY = """
import json, os
from pathlib import Path

class GLib:
    from gi import _Error as Error

class Secret:
    class SchemaFlags:
        NONE = 0

    class SchemaAttributeType:
        STRING = 0

    class Schema:
        @staticmethod
        def new(name, flags, attributes):
            return name

    @staticmethod
    def _entries():
        if os.environ.get("SECRETS_LOCKED"):
            raise GLib.Error("the collection is locked")
        path = Path(os.environ["SECRETS_FILE"])
        return path, json.loads(path.read_text())

    @staticmethod
    def password_store_sync(schema, attributes, collection, label, secret, cancellable):
        path, entries = Secret._entries()
        entries[f"{schema} {sorted(attributes.items())}"] = secret
        path.write_text(json.dumps(entries))
        return True

    @staticmethod
    def password_lookup_sync(schema, attributes, cancellable):
        return Secret._entries()[1].get(f"{schema} {sorted(attributes.items())}")

    @staticmethod
    def password_clear_sync(schema, attributes, cancellable):
        path, entries = Secret._entries()
        entries.pop(f"{schema} {sorted(attributes.items())}", None)
        path.write_text(json.dumps(entries))
        return True
"""


class SecretService:
    """The service, and the variables with which a program finds it."""

    def __init__(self, folder: Path) -> None:
        package = folder / "desktop" / "gi"
        (package / "repository").mkdir(parents=True)
        (package / "__init__.py").write_text(_GI)
        (package / "repository" / "__init__.py").write_text(_REPOSITORY)
        self._file = folder / "desktop" / "secrets.json"
        self._file.write_text("{}")
        self.environment = {"PYTHONPATH": str(package.parent), "SECRETS_FILE": str(self._file)}
        self.locked = {**self.environment, "SECRETS_LOCKED": "1"}

    def entry(self, tenant_id: str) -> str | None:
        """Return what is kept of a tenant; None without an entry."""
        value: Any = json.loads(self._file.read_text()).get(_name(tenant_id))
        return None if value is None else str(value)

    def put(self, tenant_id: str, text: str) -> None:
        """Keep something of a tenant."""
        self._file.write_text(json.dumps({**json.loads(self._file.read_text()), _name(tenant_id): text}))


def _name(tenant_id: str) -> str:
    return f"supportaccess {[('tenant', tenant_id)]}"

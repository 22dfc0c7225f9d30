"""Where files live."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

from supportaccess.errors import InvalidInput

FOLDERS = {
    "config": "SUPPORTACCESS_CONFIG_DIR",
    "data": "SUPPORTACCESS_DATA_DIR",
    "cache": "SUPPORTACCESS_CACHE_DIR",
}
"""The variable that names each folder instead of the system's usual one."""


class Paths(NamedTuple):
    """The program's three folders. None of them need exist."""

    config: Path
    data: Path
    cache: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Return the usual folders of this system, or those that SUPPORTACCESS_*_DIR name.

        Raises InvalidInput for a relative path.
        """
        from platformdirs import PlatformDirs

        usual = PlatformDirs("supportaccess", appauthor=False)
        return cls(
            config=_folder(environment, FOLDERS["config"], usual.user_config_dir),
            data=_folder(environment, FOLDERS["data"], usual.user_data_dir),
            cache=_folder(environment, FOLDERS["cache"], usual.user_cache_dir),
        )

    @property
    def store(self) -> Path:
        """The embedded store."""
        return self.data / "store.db"

    @property
    def keys(self) -> Path:
        """The key that signs the embedded store's audit logs, and the last checkpoints that it signed."""
        return self.data / "keys"

    @property
    def logs(self) -> Path:
        """What is remembered of the audit logs that were seen."""
        return self.data / "logs"


def _folder(environment: Mapping[str, str], variable: str, usual: str) -> Path:
    path = Path(environment.get(variable) or usual)
    if not path.is_absolute():
        raise InvalidInput(
            f"the folder {str(path)!r} is not an absolute path",
            hint=f"Set {variable} to an absolute path.",
        )
    return path

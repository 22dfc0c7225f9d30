"""Who runs the command, as far as this machine knows."""

import os
import platform

from supportaccess.domain.records import Actor, ActorKind


def local_account(tenant_id: str | None = None) -> Actor:
    """Return the operating-system account as an actor: `name@machine`, by this machine's word alone.

    Without a tenant it is whoever looks after the store of all of them.
    """
    name = _account_name()
    return Actor(
        kind=ActorKind.LOCAL, tenant_id=tenant_id, object_id=f"{name}@{platform.node() or 'unknown'}", display_name=name
    )


def _account_name() -> str:
    try:
        # Not getpass: it believes the environment, and whoever decides must not choose whose name is written down.
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except ImportError:
        return os.getlogin()
    except KeyError:
        return f"uid-{os.getuid()}"

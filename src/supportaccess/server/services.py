"""What the routes stand on. Made once for each process, by `serve`."""

from dataclasses import dataclass

from supportaccess.domain.times import Clock, system_clock
from supportaccess.server.database import Database
from supportaccess.server.identity.authentication import Authenticator
from supportaccess.server.jobs import Signing
from supportaccess.server.limits import Limits
from supportaccess.server.metrics import Metrics
from supportaccess.server.settings import ServerSettings


@dataclass(frozen=True, slots=True)
class Services:
    """Settings, the database, who checks tokens, who counts requests, what signs, and the clock."""

    settings: ServerSettings
    database: Database
    authenticator: Authenticator
    limits: Limits
    metrics: Metrics
    signing: Signing | None = None
    clock: Clock = system_clock

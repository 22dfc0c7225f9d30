"""Tokens for a benchmark, of the tests' own issuer."""

import time
from datetime import timedelta

from benchmarks import stores
from tests.support.issuer import Issuer

from supportaccess.domain.permissions import Permission

_LIFETIME = timedelta(hours=12)


def token_of(issuer: Issuer, tenant_id: str) -> str:
    """Return a person's access token with every app role."""
    now = int(time.time())
    times = {"iat": now, "nbf": now, "exp": now + int(_LIFETIME.total_seconds())}
    who = {"oid": stores.OBJECT_ID, "name": "Olga Owner", "roles": list(Permission)}
    return issuer.token(tenant_id, claims={**times, **who})

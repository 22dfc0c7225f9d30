"""How hypothesis runs here: without a stop-watch, since the machine may be busy with other tests."""

from hypothesis import HealthCheck, settings

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])

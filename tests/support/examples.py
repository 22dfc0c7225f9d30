"""How many examples hypothesis tries, by profile: SUPPORTACCESS_HYPOTHESIS or --hypothesis-profile names it.

`quick` and `thorough` draw the same examples on every machine, at every path and in every order, so that no run fails
by luck; `long` draws new ones each time. None has a time limit, since the machine may be busy, and none keeps examples
on disk: a failure prints what reproduces it.
"""

from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

VARIABLE = "SUPPORTACCESS_HYPOTHESIS"
_SHARES = {"quick": 0.25, "thorough": 1, "long": 10}
_FEWEST = 5

_COMMON = settings(
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("quick", _COMMON, derandomize=True, max_examples=100)
settings.register_profile("thorough", _COMMON, derandomize=True, max_examples=100)
settings.register_profile("long", _COMMON, derandomize=False, max_examples=1000)

_constants_of_modules = providers._get_local_constants


def _constants() -> Constants:
    """Return the constants of our modules that hypothesis may draw.

    Which modules it reads depends on the path of the checkout and on which tests ran before: none when examples are to
    be the same everywhere.
    """
    return _constants_of_modules() if explores() else Constants()


providers._get_local_constants = _constants


def explores() -> bool:
    """Tell whether this profile draws new examples each time."""
    return settings.default is not None and not settings.default.derandomize


def share(thorough: int) -> int:
    """Return how many of so many tries this profile wants."""
    profile = settings.get_current_profile_name().partition("-with-")[0]  # verbosity adds to the name
    return max(_FEWEST, round(thorough * _SHARES.get(profile, 1)))


def costly(thorough: int) -> settings:
    """Return the settings of a test that takes time: so many examples in `thorough`, and a share in the others.

    Tests of pure functions need no number: at least 100 in every profile.
    """
    return settings(max_examples=share(thorough))

from hypothesis import settings
from tests.support.unhurried import UNHURRIED

settings.register_profile("unhurried", UNHURRIED)
settings.load_profile("unhurried")

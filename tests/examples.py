"""How many examples a property is tried with: a quarter, and the same ones each time, in everyday runs.

`pytest --hypothesis-profile=thorough` tries all of them, others each time.
"""

from hypothesis import HealthCheck, settings

EVERYDAY, THOROUGH = "everyday", "thorough"
_LEAST = 10  # of a property that is worth the name


def profiles() -> None:
    """No deadlines in either: how long one example takes says how busy the machine is."""
    settings.register_profile(THOROUGH, deadline=None, max_examples=100)
    settings.register_profile(EVERYDAY, deadline=None, max_examples=25, derandomize=True, database=None,
                              suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile(EVERYDAY)


def examples(thorough: int) -> int:
    """So many in a thorough run, and a quarter (of 10 or fewer: all) in an everyday one."""
    return max(min(thorough, _LEAST), thorough * settings().max_examples // 100)

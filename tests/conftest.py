"""For every test: no example fails for having been slow, and nothing that stays is looked through for garbage."""

import gc

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# What is imported and collected stays: until all of it is there, nothing is looked for that could go, and later not
# among it. Each of the processes that run tests collects every test.
gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()

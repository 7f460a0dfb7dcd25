"""For every test: no example fails for having been slow, and nothing that stays is looked through for garbage.

Tests of a file run in random order, files in the order of `testpaths`: e2e first, because its files take longest.
"""

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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Undo the shuffling of files by pytest-randomly, and keep that of the tests in each."""
    tiers: list[str] = config.getini("testpaths")

    def place(item: pytest.Item) -> tuple[int, str]:
        file = item.nodeid.partition("::")[0]
        return next((number for number, tier in enumerate(tiers) if file.startswith(f"{tier}/")), len(tiers)), file

    items.sort(key=place)

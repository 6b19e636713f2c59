"""Where pytest finds the plugin of `firmware.inprocess`. A package of its own name, since pytest rewrites the asserts
of the whole package that an installed plugin belongs to: every run would compile the firmware anew."""

from firmware.inprocess.plugin import (
    pytest_addoption,
    pytest_configure,
    pytest_generate_tests,
    pytest_runtest_makereport,
)

__all__ = ["pytest_addoption", "pytest_configure", "pytest_generate_tests", "pytest_runtest_makereport"]

"""What every test may ask for: a log call whose arguments do not fit its text fails the test instead of hiding in stderr."""

import logging

import pytest

from tests.examples import profiles

profiles()


def pytest_addoption(parser):
    """The full form of tests that are short in everyday runs."""
    parser.addoption("--long", action="store_true", help="fault tests in their full form: hours of faults, a hundred kills")
    parser.addoption("--soak-minutes", type=float, default=None, help="how long the soak lasts (default 1; with --long 20)")
    parser.addoption("--seed", type=int, default=None, help="the seed that a failed fault test has printed")


@pytest.fixture(autouse=True)
def bad_log_formats_fail(monkeypatch):
    """logging swallows formatting errors by default; here they are raised."""
    def handle_error(_, record):
        raise AssertionError(f"bad log call: {record.msg!r} % {record.args!r}")
    monkeypatch.setattr(logging.Handler, "handleError", handle_error)


@pytest.fixture(scope="session")
def postgres():
    """One PostgreSQL for all tests of a process; each call makes a new database and gives its URL."""
    from tests.wire.postgres import postgres_cluster  # here, because most tests need no database

    with postgres_cluster() as make:
        yield make

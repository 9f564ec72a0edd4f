"""What every test may ask for: a log call whose arguments do not fit its text fails the test instead of hiding in stderr."""

import logging

import pytest


@pytest.fixture(autouse=True)
def bad_log_formats_fail(monkeypatch):
    """logging swallows formatting errors by default; here they are raised."""
    def handle_error(_, record):
        raise AssertionError(f"bad log call: {record.msg!r} % {record.args!r}")
    monkeypatch.setattr(logging.Handler, "handleError", handle_error)

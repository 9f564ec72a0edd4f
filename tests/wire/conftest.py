"""What the browser tests share."""

from playwright.async_api import expect

from tests.patience import PATIENCE_S

expect.set_options(timeout=PATIENCE_S * 1000)

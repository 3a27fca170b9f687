"""The browser of ``tests/browser``, and the same shop."""

from tests.browser.conftest import browser, open_page
from tests.browser.test_admin import shop

__all__ = ["browser", "open_page", "shop"]

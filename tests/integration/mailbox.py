"""What the tests that purge call their queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

QUEUE: Final = "mail"
Publish = Callable[..., None]

"""What an operator does with a page, and what a page does to its window."""

from __future__ import annotations

from typing import Any


class Clicks:
    """Clicks that lead to other pages, counted."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.count = 0

    def __call__(self, target: Any) -> None:
        self.count += 1
        with self.page.expect_navigation():
            target.click()

    def link(self, name: str) -> None:
        self(self.page.get_by_role("link", name=name).first)

    def place(self, name: str) -> None:
        """Along the line above our pages."""
        self(self.page.locator(".z4j-nav").get_by_role("link", name=name))

    def button(self, name: str) -> None:
        self(self.page.get_by_role("button", name=name).first)


def follow(page: Any, link: Any) -> None:
    Clicks(page)(link)


def overflow(page: Any) -> int:
    """By how many pixels it is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))

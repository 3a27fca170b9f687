"""The first page: what is wrong, how much goes through, and what is being done right now."""

from z4j_django.admin.room import pages

__all__ = ["pages"]

"""What ids, names and numbers look like in addresses."""

from __future__ import annotations

from django.urls import converters


class Text:
    """An id or a name: anything, slashes and line ends included."""

    regex = r"[\s\S]+"

    def to_python(self, value: str) -> str:
        """As it stands."""
        return value

    def to_url(self, value: str) -> str:
        """As it stands; ``reverse`` escapes it."""
        return str(value)


class Number:
    """A row's number that a database can hold."""

    regex = "[0-9]{1,19}"

    def to_python(self, value: str) -> int:
        """The number; one beyond every row's leads nowhere."""
        number = int(value)
        if number >= 2**63:
            raise ValueError
        return number

    def to_url(self, value: int) -> str:
        """Its digits."""
        return str(value)


# "<z4j:task_id>" and "<z4jnumber:pk>" in a route.
converters.register_converter(Text, "z4j")
converters.register_converter(Number, "z4jnumber")

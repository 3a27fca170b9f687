"""The scripts of others are what they were when somebody looked at them."""

from __future__ import annotations

import pytest

from tools import vendor

FILES = {name: file["sha256"] for pin in vendor.pins() for name, file in pin["files"].items()}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_the_one_that_was_pinned(name: str) -> None:
    assert vendor.digest((vendor.TARGET / name).read_bytes()) == FILES[name]


def test_nothing_else_lies_beside_them() -> None:
    assert {path.name for path in vendor.TARGET.iterdir()} == set(FILES)


@pytest.mark.parametrize("pin", vendor.pins(), ids=lambda pin: pin["package"])
def test_each_package_comes_with_its_licence(pin: dict) -> None:
    assert any(name.endswith(".LICENSE.txt") for name in pin["files"])


def test_no_script_names_a_source_map_that_is_not_there() -> None:
    scripts = [path for path in vendor.TARGET.iterdir() if path.suffix in (".js", ".css")]
    assert scripts
    assert not [path.name for path in scripts if b"sourceMappingURL" in path.read_bytes()]

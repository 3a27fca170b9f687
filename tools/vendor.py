"""Fetches the scripts of others that the pages are made with, from the npm registry.

``make vendor`` runs it. Which package, version and file, and their hashes, ``vendor.json`` says:
what does not have its hash is not written. To take a newer version, change version and integrity
there (``npm view PACKAGE dist.integrity``) and run it with ``--pin``.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import re
import subprocess
import tarfile
import urllib.request
from pathlib import Path
from typing import Any

PINS = Path(__file__).with_name("vendor.json")
TARGET = Path(__file__).resolve().parent.parent / "z4j_django" / "static" / "z4j_django" / "vendor"

#: A script that names a file which is not there breaks ``ManifestStaticFilesStorage``.
_SOURCE_MAP = re.compile(rb"^//# sourceMappingURL=.*\n?", re.MULTILINE)


def digest(content: bytes) -> str:
    """What ``vendor.json`` has of a file."""
    return hashlib.sha256(content).hexdigest()


def pins() -> list[dict[str, Any]]:
    """The packages."""
    found: list[dict[str, Any]] = json.loads(PINS.read_text())
    return found


def fetched(pin: dict[str, Any], registry: str) -> dict[str, bytes]:
    """The files of a package, by the names that they get.

    Raises:
        ValueError: If it is not the package that was pinned.
    """
    package, version = pin["package"], pin["version"]
    address = f"{registry}/{package}/-/{package.rpartition('/')[2]}-{version}.tgz"
    with urllib.request.urlopen(address) as answer:  # noqa: S310  # npm's own registry
        packed = answer.read()
    kind, _, expected = pin["integrity"].partition("-")
    if base64.b64encode(hashlib.new(kind, packed).digest()).decode() != expected:
        raise ValueError(f"{package} {version} is not what was pinned.")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        return {
            name: _SOURCE_MAP.sub(b"", _read(archive, f"package/{file['from']}"))
            for name, file in pin["files"].items()
        }


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    if member is None:
        raise ValueError(f"{name} is no file.")
    return member.read()


def main() -> None:
    """Fetch all, and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pin", action="store_true", help="take the files' hashes as they come")
    options = parser.parse_args()
    npm = ["npm", "config", "get", "registry"]
    registry = subprocess.run(npm, check=True, capture_output=True, text=True)  # noqa: S603
    found = pins()
    for pin in found:
        for name, content in fetched(pin, registry.stdout.strip().rstrip("/")).items():
            if options.pin:
                pin["files"][name]["sha256"] = digest(content)
            if pin["files"][name]["sha256"] != digest(content):
                raise ValueError(f"{name} is not what was pinned.")
            TARGET.mkdir(parents=True, exist_ok=True)
            (TARGET / name).write_bytes(content)
    if options.pin:
        PINS.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()

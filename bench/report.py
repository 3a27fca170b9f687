"""Writes the figures of the benchmarks into the documents that quote them.

Reads the JSON that each benchmark has written, and replaces what stands between the markers
``<!-- figures: NAME -->`` and ``<!-- /figures -->``: NAME is that of a benchmark, or ``summary``,
which sets the figures beside the targets. A block whose benchmark has not run stays as it is.
Where a folder has several documents of one benchmark, that of the larger tables counts; of
``bench.read``, for each database.

    python -m bench.report FOLDER [DOCUMENT ...]
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench import common, summary, tables

DOCUMENTS = ("README.md", "docs/explanation/performance.md")
_BLOCK = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- /figures -->)", re.DOTALL)


def load(folder: Path) -> dict[str, tables.Document]:
    """The documents in a folder, by benchmark; of several of one, what had the largest tables."""
    found: dict[str, list[tables.Document]] = {}
    for path in sorted(folder.glob("*.json")):
        document = json.loads(path.read_text())
        found.setdefault(document["benchmark"], []).append(document)
    return {name: _largest(documents) for name, documents in found.items()}


def _largest(documents: list[tables.Document]) -> tables.Document:
    best = max(documents, key=_size)
    if best["benchmark"] != "read":
        return best
    rows: dict[str, Mapping[str, Any]] = {}
    for row in (row for document in documents for row in document["results"]):
        known = rows.get(row["database"], {})
        if not known or row.get("rows", 0) > known.get("rows", 0):
            rows[row["database"]] = row
    results = [rows[vendor] for vendor in tables.VENDORS if vendor in rows]
    versions = {key: one for document in documents for key, one in document["versions"].items()}
    return {**best, "results": results, "versions": versions}


def _size(document: tables.Document) -> int:
    settings = document["settings"]
    return int(settings.get("rows") or settings.get("tasks") or settings.get("calls"))


def blocks(documents: Mapping[str, tables.Document]) -> dict[str, str]:
    """The text of each block for which there are figures."""
    found = {name: tables.whole(document) for name, document in documents.items()}
    return {**found, "summary": summary.summary(documents)} if found else {}


def replace(text: str, texts: Mapping[str, str]) -> str:
    """``text`` with its blocks filled."""

    def fill(match: re.Match[str]) -> str:
        begin, name, end = match.groups()
        return f"{begin}{texts[name]}\n{end}" if name in texts else match[0]

    return _BLOCK.sub(fill, text)


def write(paths: list[Path], texts: Mapping[str, str]) -> Iterator[Path]:
    """Fill the blocks of some files; yields those that have changed."""
    for path in paths:
        old = path.read_text()
        new = replace(old, texts)
        if new != old:
            path.write_text(new)
            yield path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="where the benchmarks wrote their JSON")
    parser.add_argument("documents", nargs="*", type=Path)
    options = parser.parse_args()
    documents = load(options.folder)
    if not documents:
        raise SystemExit(f"There are no figures in {options.folder}.")
    texts = blocks(documents)
    print(f"{texts['summary']}\n")
    paths = options.documents or [common.REPOSITORY / name for name in DOCUMENTS]
    for path in write(paths, texts):
        print(f"Written to {path}.")


if __name__ == "__main__":
    main()

"""Runs schemathesis against a live server with workers, and ends as it does.

``python -m tests.contract [--database sqlite|postgresql|mariadb] [schemathesis' own options]``;
what it does is said by ``schemathesis.toml``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import django

SETTINGS: Final = "tests.contract.settings"
#: A filter at its limit, all of it escaped, is longer than what gunicorn takes by itself.
_AS_LONG_AS_IT_TAKES: Final = "--limit-request-line 0"
#: Messages that wait in the queue that no worker takes from.
WAITING: Final = 20


def main() -> int:
    """Make the scene, let schemathesis loose on it, and clear up."""
    parser = argparse.ArgumentParser(prog="python -m tests.contract", description=__doc__)
    parser.add_argument("--database", default="sqlite", help="sqlite, postgresql or mariadb")
    arguments, others = parser.parse_known_args()
    # The harness reads the records by itself.
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="z4j-contract-")))
        return _run(stack, folder, arguments.database, others)


def _run(stack: contextlib.ExitStack, folder: Path, database: str, options: list[str]) -> int:
    from tests.process.harness import servers
    from tests.process.harness.scene import Scene, unique_queue
    from tests.process.harness.site import Client, Site

    url = stack.enter_context(servers.DATABASES[database](folder, None))
    scene = stack.enter_context(contextlib.closing(Scene(folder, url, None, unique_queue())))
    site = Site(scene, DJANGO_SETTINGS_MODULE=SETTINGS, GUNICORN_CMD_ARGS=_AS_LONG_AS_IT_TAKES)
    scene.worker("-P", "prefork", "-c", "2")
    _work(scene)
    seeded = scene.run(sys.executable, "-m", "tests.contract.seed", environment=site.environment)
    assert seeded.returncode == 0, seeded.stderr
    values = json.loads(seeded.stdout)
    values["since"] = [Client(site.port, values["token"]).see("tasks")["since"]]
    known = folder / "values.json"
    known.write_text(json.dumps(values))
    started = time.monotonic()
    ended = subprocess.run(
        _command(site.port, options),
        env={**os.environ, "CONTRACT_VALUES": str(known), "CONTRACT_TOKEN": values["token"]},
        check=False,
    )
    print(f"schemathesis took {time.monotonic() - started:.0f} s.")
    failures = [line for line in site.program.output().splitlines() if "The API failed" in line]
    print(*failures, sep="\n", end="")
    return ended.returncode or bool(failures)


def _work(scene: Any) -> None:
    """Have workers run one of everything, and leave messages in a queue that nobody takes from."""
    from tests.contract.seed import EXAMPLES
    from tests.process.harness.processes import PATIENCE
    from tests.process.harness.waiting import wait_until

    told = scene.run(
        *(sys.executable, "-m", "tests.process.project.workload", scene.hostname(), "prefork")
    )
    assert told.returncode == 0, told.stderr
    ids = json.loads(told.stdout)
    lasting = [ids["success"], ids["failure"], ids["killed"], *ids["chord"]["members"]]
    scene.script(
        f"for number in range({WAITING}):\n"
        f"    tasks.add.apply_async((number, 1), queue={EXAMPLES['queue']!r})"
    )
    wait_until(lambda: not scene.records.unfinished(lasting), PATIENCE, "the tasks on record")


def _command(port: int, options: list[str]) -> list[str]:
    schemathesis = [str(Path(sys.executable).with_name("schemathesis")), "run"]
    return [*schemathesis, f"http://127.0.0.1:{port}/z4j/api/schema/", *options]


if __name__ == "__main__":
    raise SystemExit(main())

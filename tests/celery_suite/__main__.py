"""Runs Celery's own integration suite with the app installed and shipping, and without it.

``python -m tests.celery_suite [tests]``, from the environment that ``make celery-suite`` makes:
the suite lies in it. What fails with us and passes without is repeated both ways. The records are
held to the result backend. Ends with 1 where a test fails with us alone, a difference has no known
reason, or something is told as lost.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import django
from redis import Redis

from tests.process.chaos import servers
from tests.process.harness.processes import REPOSITORY

SETTINGS: Final = "tests.celery_suite.settings"
SOURCE: Final = Path(sys.prefix) / "source"
TESTS: Final = ("t/integration/test_tasks.py", "t/integration/test_canvas.py")
#: Both ways, of what failed with us.
REPEATS: Final = 3
#: As Celery's own CI has it.
OPTIONS: Final = (
    *("-q", "-p", "no:cacheprovider", "-p", "celery.contrib.pytest"),
    *("-p", "tests.celery_suite.plugin", "-c", os.devnull, "--rootdir", str(SOURCE)),
    *("-o", "python_classes=test_*", "--timeout", "300", "--disable-warnings", "--tb", "short"),
)


class Suite:
    """The suite, on servers of its own.

    Args:
        folder: For all files.
        broker: Its first database is the backend: some tests look into it.
    """

    def __init__(self, folder: Path, broker: servers.RedisBroker) -> None:
        self.folder = folder
        self.redis = Redis.from_url(broker.url)
        self._environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(SOURCE), str(REPOSITORY)]),
            "REDIS_PORT": broker.url.rpartition(":")[2].partition("/")[0],
            "TEST_BACKEND": broker.url,
            "TEST_BROKER": broker.results,
            "WORKER_LOGLEVEL": "INFO",
        }

    def run(self, tests: Iterable[str], *, recorded: bool) -> set[str]:
        """Run tests; those that failed.

        Args:
            tests: Files, or single ones.
            recorded: Whether with the app.
        """
        print(f"\n== {'with' if recorded else 'without'} the app", flush=True)
        self.redis.flushall()
        (self.folder / "failed").unlink(missing_ok=True)
        environment = {
            **self._environment,
            "DJANGO_SETTINGS_MODULE": SETTINGS if recorded else "",
        }
        command = [sys.executable, "-m", "pytest", *OPTIONS, *tests]
        ended = subprocess.run(command, cwd=SOURCE, env=environment, check=False)
        if ended.returncode not in (0, 1):
            raise SystemExit(f"pytest ended with {ended.returncode}: the suite did not run.")
        return self.noted("failed")

    def noted(self, what: str) -> set[str]:
        """What the plugin has noted."""
        file = self.folder / what
        return set(file.read_text().splitlines()) if file.exists() else set()

    def fail_with_us_alone(self, suspects: set[str]) -> set[str]:
        """Of tests that failed with us and passed without, those that do so when repeated."""
        failures = {True: Counter[str](), False: Counter[str]()}
        for _ in range(REPEATS if suspects else 0):
            for recorded, failed in failures.items():
                failed.update(self.run(sorted(suspects), recorded=recorded))
        for test in sorted(suspects):
            told = f"{failures[True][test]} of {REPEATS} with, {failures[False][test]} without"
            print(f"{test} failed with us; repeated, it fails {told}.")
        return {test for test in failures[True] if not failures[False][test]}


def main() -> int:
    """Run it; 1 where something is not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.celery_suite", description=__doc__)
    parser.add_argument("tests", nargs="*", default=TESTS)
    tests = parser.parse_args().tests
    folder = Path(tempfile.mkdtemp(prefix="z4j-suite-"))
    folder.chmod(0o711)  # PostgreSQL runs as a user of its own
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        database = stack.enter_context(servers.database("postgresql", folder))
        broker = servers.RedisBroker(folder / "redis")
        stack.callback(broker.stop)
        os.environ.update(DATABASE_URL=database.url, SUITE_FOLDER=str(folder))
        return _verdict(Suite(folder, broker), tests)


def _verdict(suite: Suite, tests: Iterable[str]) -> int:
    os.environ["DJANGO_SETTINGS_MODULE"] = SETTINGS
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    with_us = suite.run(tests, recorded=True)
    call_command("z4j_ship", drain=True)
    unexplained = _compare(suite)
    without_us = suite.run(tests, recorded=False)
    print(f"\nFail either way: {sorted(with_us & without_us) or 'none'}")
    ours = suite.fail_with_us_alone(with_us - without_us)
    print(f"Fail with us alone: {sorted(ours) or 'none'}")
    return 1 if ours or unexplained else 0


def _compare(suite: Suite) -> int:
    """Print what differs between records and backend; how much of it has no reason."""
    from tests.celery_suite import comparison
    from z4j_django.models import JournalLoss

    found = comparison.tasks(suite.redis, suite.noted("without-result"))
    counted: Counter[tuple[str, str]] = Counter()
    alike = unexplained = 0
    for task in found:
        differences = list(comparison.differences(task))
        alike += not differences
        counted.update(differences)
        if comparison.UNKNOWN in dict(differences).values():
            unexplained += 1
            print(f"{differences}: {task}")
    print(f"\n{len(found):,} tasks, {alike:,} alike in the records and in the backend; else:")
    for (what, reason), count in sorted(counted.items()):
        print(f"{count:6,}  {what}: {reason}")
    losses = list(JournalLoss.objects.values_list("reason", "count"))
    print(f"Told as lost: {losses or 'nothing'}")
    return unexplained + len(losses)


if __name__ == "__main__":
    raise SystemExit(main())

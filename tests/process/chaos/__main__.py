"""``python -m tests.process.chaos``: the harness by hand."""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import sys

import django


def main() -> int:
    """Run it; 1 where something is lost or doubled."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    from tests.process.chaos import disks, trial
    from tests.process.chaos.storm import Plan

    parser = argparse.ArgumentParser(prog="tests.process.chaos", description=__doc__)
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--broker", choices=["redis", "filesystem"], default="redis")
    parser.add_argument("--database", choices=["postgresql", "sqlite"], default="postgresql")
    parser.add_argument("--seed", type=int, default=secrets.randbits(31))
    parser.add_argument("--kills", type=int, default=210)
    parser.add_argument("--outages", type=int, default=3)
    parser.add_argument("--outage", type=float, default=8.0, help="seconds of each")
    parser.add_argument("--full-disks", type=int, default=0, help="of the journal; for root only")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true", help="leave all files behind")
    options = vars(parser.parse_args())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and clean up
    as_json, keep = options.pop("json"), options.pop("keep")
    if not disks.can_mount():
        options["full_disks"] = 0
    report = trial.run(Plan(**options), keep)
    trial.fill_a_disk(report)
    print(report.as_json() if as_json else report.as_text())
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())

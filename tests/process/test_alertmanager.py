"""Alertmanager itself: it takes what we send, and our webhook sends what it sends."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.process.harness import receivers
from tests.process.harness.receivers import Sink
from tests.unit.messages_of_alerts import HOSTILE, message, problem
from z4j_django import options
from z4j_django.alerts import wording
from z4j_django.alerts.channels import prometheus
from z4j_django.alerts.channels.base import Sending
from z4j_django.alerts.channels.registry import KINDS
from z4j_django.alerts.message import Message

PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")

pytestmark = pytest.mark.skipif(
    PROGRAM is None and "CI" not in os.environ, reason="there is no Alertmanager here"
)
CONFIGURATION = """
route: {{receiver: sink, group_by: [project], group_wait: 0s, group_interval: 1s}}
receivers: [{{name: sink, webhook_configs: [{{url: "{url}/", send_resolved: true}}]}}]
"""


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with receivers.http() as found:
        yield found


@pytest.fixture(scope="module")
def alertmanager(sink: Sink, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address."""
    assert PROGRAM is not None
    folder = tmp_path_factory.mktemp("alertmanager")
    file = folder / "alertmanager.yml"
    file.write_text(CONFIGURATION.format(url=sink.url))
    url = f"http://127.0.0.1:{receivers.free_port()}"
    command = [
        PROGRAM,
        f"--config.file={file}",
        f"--storage.path={folder}",
        f"--web.listen-address={url.removeprefix('http://')}",
        "--cluster.listen-address=",
    ]
    with open(folder / "log", "wb") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            _until(lambda: _get(f"{url}/-/ready") is not None, folder / "log")
            yield url
        finally:
            process.terminate()


def _get(url: str) -> bytes | None:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
        return bytes(answer.read())
    return None


def _until(holds: Any, log: Path | None = None) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, log.read_text() if log else "it did not come"
        time.sleep(0.05)


def _alerts(url: str) -> list[dict[str, Any]]:
    return list(json.loads(_get(f"{url}/api/v2/alerts") or b"[]"))


def _send(url: str, told: Message) -> None:
    kind = KINDS["alertmanager"]
    given = options.read(kind.options, {"url": url})
    answer = kind.send(given, told, Sending(allows_private=True))
    assert (answer.outcome, answer.text) == ("sent", "200")


def test_it_hears_of_the_beginning_and_of_the_end(alertmanager: str, sink: Sink) -> None:
    now = datetime.now(UTC)
    problems = (
        problem(since=now - timedelta(minutes=3)),
        problem(
            since=now - timedelta(minutes=1), subject=HOSTILE, evidence=HOSTILE, severity="warning"
        ),
    )
    firing = message(*problems, at=now)
    _send(alertmanager, firing)
    _send(alertmanager, firing)
    prepared = wording.prepared(firing)
    known = [prometheus.labels_of(prepared, one) for one in prepared.problems]
    found = {one["fingerprint"]: one for one in _alerts(alertmanager)}
    assert set(found) == set(map(prometheus.fingerprint, known))
    first = found[prometheus.fingerprint(known[0])]
    assert first["labels"] == known[0]
    assert first["annotations"]["remedy"] == "Start a worker with -Q mail."
    assert first["generatorURL"] == prepared.problems[0].url
    heard = sink.wait(1)[0].json

    _send(alertmanager, message(*problems, at=datetime.now(UTC), status="resolved"))
    _until(lambda: not _alerts(alertmanager))
    _until(lambda: sink.requests[-1].json["status"] == "resolved")

    own = json.loads(json.dumps(prometheus.webhook(prepared, "")))
    assert _shape(own) == _shape(heard)
    assert own["alerts"][0]["endsAt"] == heard["alerts"][0]["endsAt"] == prometheus.NO_END
    fingerprints = [sorted(one["fingerprint"] for one in told["alerts"]) for told in (own, heard)]
    assert fingerprints[0] == fingerprints[1]
    assert own["commonLabels"] == heard["commonLabels"]


def test_a_test_ends_by_itself(alertmanager: str) -> None:
    now = datetime.now(UTC)
    _send(alertmanager, message(problems=(), status="test", at=now, url=""))
    (found,) = (one for one in _alerts(alertmanager) if one["labels"]["alertname"] == "test")
    lasts = datetime.fromisoformat(found["endsAt"]) - now
    assert timedelta(seconds=239) < lasts < timedelta(seconds=241)


def _shape(value: Any) -> Any:
    """A payload's members and the types of what they are; labels and annotations are free."""
    if isinstance(value, dict):
        free = {"labels", "annotations", "groupLabels", "commonLabels", "commonAnnotations"}
        return {name: "texts" if name in free else _shape(one) for name, one in value.items()}
    if isinstance(value, list):
        return _shape(value[0])
    return type(value).__name__

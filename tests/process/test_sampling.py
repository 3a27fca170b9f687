"""What real brokers tell of their queues, to a process that has kombu and no Celery app."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import celery
import pytest

from tests.process.harness import servers
from z4j_django.broker import describe

#: The whole part of a shipper process; what is handed over comes by the standard input.
ASK = """
import json, sys
from z4j_django import broker
given = json.load(sys.stdin)
with broker.opened(broker.connection(given, 5.0), 5.0) as connection:
    told = list(broker.counts(connection, ["gone-" + given["queues"][0], *given["queues"]]))
print(json.dumps([told, "celery" in sys.modules]))
"""


@pytest.fixture(params=["redis", "rabbitmq", "filesystem"])
def app(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[celery.Celery]:
    queue = f"q{uuid.uuid4().hex}"
    with servers.BROKERS[request.param](queue) as url:
        made = celery.Celery("shop", broker=url or "filesystem://", set_as_current=False)
        if request.param == "filesystem":
            folders = ("data_folder_in", "data_folder_out", "control_folder")
            made.conf.broker_transport_options = dict.fromkeys(folders, str(tmp_path))
        elif request.param == "redis":
            made.conf.broker_transport_options = {"global_keyprefix": f"{queue}."}
        made.conf.task_default_queue = queue
        yield made
        made.close()


def told(app: celery.Celery) -> list[Any]:
    command = [sys.executable, "-c", ASK]
    given = json.dumps(describe(app)).encode()
    made = subprocess.run(command, input=given, capture_output=True, check=True)
    found, has_celery = json.loads(made.stdout)
    assert not has_celery
    assert isinstance(found, list)
    return [row[1:] for row in found]


def test_messages_of_every_priority_are_counted_and_none_is_touched(app: celery.Celery) -> None:
    for priority in (0, 3, 9):
        app.send_task("shop.mail", priority=priority)
    gone = None if app.conf.broker_url.startswith("amqp") else 0
    assert told(app) == [[gone, None], [3, 0 if gone is None else None]]
    assert told(app)[1][0] == 3


def test_rabbitmq_tells_who_consumes_and_what_is_held_does_not_wait(app: celery.Celery) -> None:
    if not app.conf.broker_url.startswith("amqp"):
        pytest.skip("others do not tell")
    for _ in range(2):
        app.send_task("shop.mail")
    with app.connection_for_read() as connection:
        channel = connection.default_channel
        channel.basic_qos(0, 1, False)
        queue = app.amqp.queues[app.conf.task_default_queue](channel)
        queue.consume(callback=lambda message: None)
        assert told(app)[1] == [1, 1]

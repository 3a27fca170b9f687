"""Kombu's file-system transport, safe for several processes at once.

Kombu's own creates a message's file first and fills it afterwards, and rewrites the table of
an exchange in place: a reader that comes in between gets an empty file, and a worker that
reads one stops with "Unrecoverable error: JSONDecodeError".
"""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kombu.transport import filesystem, virtual
from kombu.utils.json import dumps

Table = list[filesystem.exchange_queue_t]


class Channel(filesystem.Channel):
    """Writes every file under another name and renames it when it is whole."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.control_folder.mkdir(parents=True, exist_ok=True)
        Path(self.data_folder_out).mkdir(parents=True, exist_ok=True)

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:
        name = f"{round(time.monotonic() * 1000):015d}_{uuid.uuid4()}.{queue}.msg"
        _write(Path(self.data_folder_out) / name, payload)

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        binding = _binding(routing_key, pattern, queue)
        self._change_table(exchange, lambda table: [binding, *_without(table, binding)])

    def _delete(
        self, queue: str, exchange: str, routing_key: str, pattern: str, *args: Any, **kwargs: Any
    ) -> None:
        virtual.Channel._delete(self, queue, *args, **kwargs)
        binding = _binding(routing_key, pattern, queue)
        self._change_table(exchange, lambda table: _without(table, binding))

    def _change_table(self, exchange: str, change: Callable[[Table], Table]) -> None:
        path = self.control_folder / f"{exchange}.exchange"
        with (self.control_folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            table = self.get_table(exchange)
            changed = change(table)
            if changed != table:
                _write(path, changed)


class Transport(filesystem.Transport):
    """``broker_transport = "example_project.filesystem:Transport"``."""

    Channel = Channel


def _binding(routing_key: str, pattern: str, queue: str) -> filesystem.exchange_queue_t:
    return filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")


def _without(table: Table, binding: filesystem.exchange_queue_t) -> Table:
    return [other for other in table if other != binding]


def _write(path: Path, value: Any) -> None:
    # Not named after the message: before 5.7 kombu reads whatever has ".<queue>.msg" in its name.
    part = path.with_name(f"{uuid.uuid4()}.part")
    part.write_text(dumps(value))
    os.replace(part, path)

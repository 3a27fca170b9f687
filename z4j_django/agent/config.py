"""What the agent is told by the framework it runs in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from z4j_django.agent import originals, shipper


@dataclass(frozen=True)
class Config:
    """What the agent is told by the framework it runs in."""

    #: Where the journal lies. Asked when the first event comes: a server may drop its privileges
    #: after it has loaded the project.
    find_directory: Callable[[], Path]
    project: str
    #: Makes the sink, in whichever process ships: ``module:attribute``.
    sink: str
    #: Names the Celery app, for the log.
    describe_app: Callable[[], str]
    framework: str
    #: What a shipper process is handed, so that it can make the sink without the project's code.
    #: Empty where it has to load the project.
    hand_over: Callable[[], bytes] = bytes
    #: Which release of the project this process runs. Asked once, when the first event comes.
    find_release: Callable[[], str] = str
    #: Tells beat which runs of its schedule to leave out: ``module:attribute``, see ``skipping``.
    skips: str = ""
    shipping: Literal["process", "thread", "external"] = "process"
    #: Bytes of the journal past which the oldest closed segments go.
    max_bytes: int = shipper.MAX_BYTES
    #: Whether to record under a test runner, too.
    under_tests: bool = False
    #: Which tasks are noise, see ``Sampling``.
    sampling: Mapping[str, float | None] = field(default_factory=dict)
    #: Bytes of a message's body that is kept for a retry; ``None`` to keep no message at all.
    payload_limit: int | None = originals.LIMIT
    #: The least level of the log records of tasks that are kept; ``None`` to keep none.
    log_level: int | None = None
    #: The signal by which a pool's child writes down its stack; empty for none.
    stack_signal: str = ""

"""A command of remote control: a soft shutdown, which Celery knows by a signal only.

Only workers import this. The worker sends the signal to itself, a moment after it has answered.
"""

from __future__ import annotations

import os
import signal
from typing import Any, Final

from celery.worker.control import control_command, nok, ok

#: What it is called.
COMMAND: Final = "z4j_soft_shutdown"
#: Seconds for the answer to leave: what handles the signal waits for the tasks that run.
_A_MOMENT: Final = 0.2
#: Celery's own handler, by its name.
_HANDLER: Final = "worker_Cold"


@control_command(name=COMMAND)  # type: ignore[untyped-decorator]  # Celery has no types here
def soft_shutdown(state: Any, **kwargs: Any) -> Any:
    """Take nothing more, give what runs a while, and end; a worker that can't says why."""
    seconds = float(state.app.conf.worker_soft_shutdown_timeout or 0)
    if seconds <= 0:
        return nok("worker_soft_shutdown_timeout is 0: what runs would be broken off at once.")
    if getattr(signal.getsignal(signal.SIGQUIT), "__name__", "") != _HANDLER:
        return nok("SIGQUIT is not Celery's here: the worker is part of another program.")
    state.consumer.timer.call_after(_A_MOMENT, os.kill, (os.getpid(), signal.SIGQUIT))
    return ok(f"What runs has {seconds:g} s.")

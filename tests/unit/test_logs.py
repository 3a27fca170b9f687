"""Loggers that a project's logging does not switch off by accident."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import z4j_django

PACKAGE = Path(z4j_django.__file__).parent
#: A program that configures logging as Django does for a project that says nothing of ours, after
#: modules of ours were imported: whatever their loggers say must come out.
CONFIGURED = """
import logging.config, sys
from z4j_django.agent import bootstrap, discovery, housekeeping, read_ahead, shipper_process
from z4j_django.store import writer
logging.getLogger("of.the.project")
logging.config.dictConfig({
    "version": 1,
    "disable_existing_loggers": True,
    "handlers": {"out": {"class": "logging.StreamHandler", "stream": sys.stdout}},
    "root": {"handlers": ["out"], "level": "INFO"},
})
for name in ("of.the.project", *sys.argv[1:]):
    logging.getLogger(name).warning(name)
"""


def test_our_loggers_speak_though_logging_was_configured_after_them() -> None:
    names = [
        "z4j.celery.discovery",
        "z4j.celery.worker_bootstrap",
        "z4j_django.agent",
        "z4j_django.shipper",
        "z4j_django.store",
    ]
    command = [sys.executable, "-c", CONFIGURED, *names]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.split() == names


def test_no_module_of_ours_asks_logging_for_a_logger() -> None:
    asks = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Attribute) and node.attr in ("getLogger", "getChild"))
        or (isinstance(node, ast.ImportFrom) and node.module == "logging")
        or (isinstance(node, ast.ImportFrom) and node.module == "celery.utils.log")
    ]
    assert asks == ["logs.py"]

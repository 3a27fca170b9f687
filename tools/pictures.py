"""Takes the pictures of docs/images anew: ``make pictures``, or ``python -m tools.pictures``.

A site of its own on SQLite is opened in a temporary folder, has a day of the shop put on record,
and is looked at in Chromium, light and at 1280 px. With the name of a folder every page is, for
whoever wants to see what all of them look like: light, dark, on a phone and from right to left.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

ROOT: Final = Path(__file__).resolve().parent.parent
IMAGES: Final = ROOT / "docs" / "images"
SETTINGS: Final = "tools.shop.settings"
DESK: Final = {"width": 1280, "height": 900}
PHONE: Final = {"width": 390, "height": 844}
#: Which pages the docs show.
SHOWN: Final = {
    "first-page": "first",
    "task-list": "tasks-failed",
    "task-page": "task-again",
    "error-group": "error",
    "task-type": "type",
    "workflow": "workflow",
    "waterfall": "waterfall",
}
#: How far down it goes, where that is further than 1,400 px.
TALL: Final = {"first-page": 1_960, "waterfall": 1_000, "task-list": 1_000}
#: How each page is looked at in a walk.
LOOKS: Final[dict[str, dict[str, Any]]] = {
    "light": {"viewport": DESK, "color_scheme": "light"},
    "dark": {"viewport": DESK, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "color_scheme": "light"},
    "rtl": {"viewport": DESK, "color_scheme": "light", "locale": "ar"},
}


@contextmanager
def site(folder: Path) -> Iterator[str]:
    """The shop's site; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    manage = [sys.executable, str(ROOT / "manage.py"), "runserver", "--noreload"]
    with (folder / "site.log").open("w") as log:
        server = subprocess.Popen(  # noqa: S603 (our own command line)
            [*manage, f"127.0.0.1:{port}"], cwd=ROOT, env=os.environ, stdout=log, stderr=log
        )
    try:
        while True:
            if server.poll() is not None:
                raise RuntimeError((folder / "site.log").read_text())
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


def pages() -> dict[str, str]:
    """The addresses of the pages, by name."""
    from django.urls import reverse

    from z4j_django.models import (
        ConditionRecord,
        ErrorGroup,
        GroupRecord,
        JournalRecord,
        Operation,
        OperationTarget,
        TaskRecord,
        WorkerRecord,
    )

    def at(page: str, /, *args: object, **query: object) -> str:
        address = reverse(f"admin:z4j_django_{page}", args=args)
        return f"{address}?{urlencode(query, quote_via=quote)}" if query else address

    def newest(**fields: Any) -> Any:
        return TaskRecord.objects.filter(**fields).order_by("-sent_at")[0].pk

    declined = ErrorGroup.objects.get(exception_type__endswith="CardDeclined")
    failed = newest(name=declined.name, state="FAILURE", exception_type=declined.exception_type)
    group = GroupRecord.objects.filter(size=50).order_by("-pk")[0]
    first = TaskRecord.objects.get(group_id=group.group_id, group_index=0).task_id
    small = GroupRecord.objects.filter(size__lt=10).order_by("pk")[0]
    mail = WorkerRecord.objects.get(hostname="mail@web1")
    operation = Operation.objects.earliest("pk")
    again = OperationTarget.objects.filter(operation=operation)[0].target
    return {
        "index": reverse("admin:index"),
        "first": reverse("admin:app_list", args=["z4j_django"]),
        "watched": at("conditionrecord_watched"),
        "conditions": at("conditionrecord_changelist"),
        "condition": at("conditionrecord_change", ConditionRecord.objects.all()[0].pk),
        "errors": at("errorgroup_changelist"),
        "error": at("errorgroup_change", declined.error_id),
        "error-resolve": at("errorgroup_resolve_errors", id=declined.error_id),
        "types": at("taskrecord_types"),
        "type": at("taskrecord_type", name=declined.name),
        "tasks": at("taskrecord_changelist"),
        "tasks-failed": at("taskrecord_changelist", q="sent:<6h name:payments.* state:FAILURE"),
        "tasks-wrong": at("taskrecord_changelist", q="failed"),
        "task-failed": at("taskrecord_change", failed),
        "task-runs": at("taskrecord_change", newest(state="STARTED", worker="mail@web1")),
        "task-pending": at("taskrecord_change", newest(state="PENDING", queue="mail")),
        "task-success": at("taskrecord_change", newest(name=declined.name, state="SUCCESS")),
        "task-retried": at("taskrecord_change", newest(name="stock.sync_stock", state="FAILURE")),
        "task-again": at("taskrecord_change", newest(task_id=again)),
        "task-edit": at("taskrecord_edit", failed),
        "task-retry": at("taskrecord_retry", id=failed),
        "bulk": at("taskrecord_bulk_retry", q=f"error:{declined.error_id}"),
        "groups": at("grouprecord_changelist"),
        "group": at("grouprecord_change", group.pk),
        "group-small": at("grouprecord_change", small.pk),
        "group-retry": at("grouprecord_retry_failed", id=group.pk),
        "workflow": at("grouprecord_workflow", group.pk),
        "workflow-open": at("grouprecord_workflow", group.pk, open=first),
        "waterfall": at("grouprecord_workflow", group.pk, view="waterfall"),
        "queues": at("operation_queues"),
        "queue": at("operation_queue", queue="mail"),
        "purge": at("operation_purge", queue="mail"),
        "workers": at("workerrecord_changelist"),
        "worker": at("workerrecord_change", mail.pk),
        "schedules": at("taskrecord_schedules"),
        "operations": at("operation_changelist"),
        "journals": at("journalrecord_changelist"),
        "journal": at("journalrecord_change", JournalRecord.objects.all()[0].pk),
        "losses": at("journalloss_changelist"),
        "views": at("savedview_changelist"),
        "operation": at("operation_change", operation.pk),
    }


def look(page: Any, address: str, path: Path, tall: int) -> None:
    """Take a picture of a page, as far down as it goes."""
    from tools.shop import records

    records.keep_alive()
    page.goto(address, wait_until="networkidle")
    page.evaluate("document.fonts.ready")
    width = page.viewport_size["width"]
    ours = ".z4j-page, .z4j"
    box = page.locator(ours).first.bounding_box() or {"y": 0, "height": tall}
    height = min(int(box["y"] + box["height"]) + 24, tall)
    page.screenshot(
        path=path, full_page=True, clip={"x": 0, "y": 0, "width": width, "height": height}
    )


def main(walk: str = "") -> None:
    """Open the shop and take the pictures: of the docs, or with a folder of every page."""
    os.environ["DJANGO_SETTINGS_MODULE"] = SETTINGS
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright runs a loop of its own
    os.environ["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["DEMO_DIR"] = str(folder)
        import django

        django.setup()
        from django.contrib.auth.models import User
        from django.core.management import call_command
        from playwright import sync_api

        from tools.shop import records

        call_command("migrate", verbosity=0)
        User.objects.create_superuser("admin", "admin@example.com", "admin")
        records.open_it(time.time())
        with site(folder) as address, sync_api.sync_playwright() as playwright:
            chromium = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--headless"]
            )
            for how, options in LOOKS.items() if walk else [("light", LOOKS["light"])]:
                context = chromium.new_context(base_url=address, **options)
                page = context.new_page()
                page.goto("/admin/login/")
                page.locator("[name=username]").fill("admin")
                page.locator("[name=password]").fill("admin")
                page.locator("[type=submit]").click()
                page.evaluate("localStorage.setItem('django.admin.navSidebarIsOpen', 'false')")
                found = pages()
                if walk:
                    for one, path in found.items():
                        target = Path(walk) / how
                        target.mkdir(parents=True, exist_ok=True)
                        look(page, path, target / f"{one}.png", 4_000)
                else:
                    for image, one in SHOWN.items():
                        look(page, found[one], IMAGES / f"{image}.png", TALL.get(image, 1_400))
                context.close()
            chromium.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Requests in a worker's hands."""

from __future__ import annotations

import gc

from z4j_django.agent.held_requests import HeldRequests


class Request:
    """As far as it is looked at."""

    def __init__(self, task_id: str) -> None:
        self.id = task_id


def test_a_request_is_found_by_its_id_while_somebody_holds_it() -> None:
    requests, request = HeldRequests(), Request("1")

    requests.add(request)

    assert requests.get("1") is request
    assert requests.get("2") is None


def test_a_request_that_nobody_holds_is_forgotten() -> None:
    requests, request = HeldRequests(), Request("1")
    requests.add(request)

    del request
    gc.collect()

    assert requests.get("1") is None
    assert not requests._references


def test_the_end_of_an_earlier_request_leaves_the_later_one_of_its_id() -> None:
    requests, earlier, later = HeldRequests(), Request("1"), Request("1")
    requests.add(earlier)
    requests.add(later)

    del earlier
    gc.collect()

    assert requests.get("1") is later

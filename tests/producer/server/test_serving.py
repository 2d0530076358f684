"""The app behind a port."""

from __future__ import annotations

import time

import httpx2

from producer.wire import API


def test_an_answer_does_not_wait_for_the_acknowledgement_of_its_first_part(url: str) -> None:
    # Given a connection that has been used for a while, so that the system no longer acknowledges at once
    took = []
    with httpx2.Client(base_url=url) as client:
        for _ in range(30):
            began = time.perf_counter()
            assert client.get(f"{API}/users").status_code == 401
            took.append(time.perf_counter() - began)

    # Then not every answer takes the 40 ms of such a wait
    assert min(took[-10:]) < 0.03

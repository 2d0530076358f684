"""The gate counts runs, not threads."""

from __future__ import annotations

from workers.gate import Gate

THREADS = 4


def test_it_is_open_while_the_agent_may_hold_one_more_run() -> None:
    # Given
    gate = Gate(max_jobs=2)

    # When
    gate.hold("a")
    before = gate.is_open(THREADS)
    gate.hold("b")

    # Then
    assert before
    assert not gate.is_open(THREADS)


def test_an_order_in_hand_counts_and_its_run_counts_once() -> None:
    # Given
    gate = Gate(max_jobs=2)

    # When
    gate.fetched("a")
    gate.hold("a")

    # Then
    assert gate.is_open(THREADS)
    gate.fetched("b")
    assert not gate.is_open(THREADS)


def test_no_more_orders_are_fetched_than_threads_can_carry_out() -> None:
    # Given
    gate = Gate(max_jobs=-1)

    # When
    for number in range(THREADS):
        gate.fetched(str(number))

    # Then
    assert not gate.is_open(THREADS)
    gate.handed_over("0")
    assert gate.is_open(THREADS)


def test_a_loop_that_was_sent_away_is_woken_and_no_other() -> None:
    # Given
    gate, wakes = Gate(max_jobs=1), []
    gate.wake = lambda: wakes.append(1)
    gate.hold("a")

    # When nobody asked yet, and then when somebody did
    gate.let_go("a")
    unasked = len(wakes)
    gate.hold("b")
    gate.is_open(THREADS)
    gate.let_go("b")

    # Then
    assert unasked == 0
    assert len(wakes) == 1


def test_a_closed_gate_stays_closed() -> None:
    # Given
    gate = Gate(max_jobs=-1)

    # When
    gate.close()

    # Then
    assert not gate.is_open(THREADS)

"""`make soak`: thousands of runs through three agents, with kills, restarts and cuts from a seed that is printed.

At the end it counts runs that were lost, done twice or are stuck, and exits with 1 if there is one. Its last line is a
row for the table in docs/discussion/what-survives-what.md.
"""

from __future__ import annotations

import argparse
import random
import sys
import time

from tests.soak.faults import Faults
from tests.soak.load import Load
from tests.soak.verdict import Verdict, judge
from tests.soak.yard import SoakYard

REST_SECONDS = 180.0
"""How long the last runs may take once no fault strikes any more."""


def soak(seed: int, count: int) -> Verdict:
    """Run it; the same seed gives the same jobs and the same choices of faults, though never the same moments."""
    with SoakYard() as yard:
        load = Load(yard.settings, random.Random(seed), count)
        faults = Faults(yard, random.Random(seed + 1))
        load.start()
        while load.is_alive() or yard.ended() < 0.98 * count:
            faults.strike()
            yard.keep_agents()
            print(f"{faults.told()}  ended {yard.ended()}/{count}", flush=True)
        load.join()
        deadline = time.monotonic() + REST_SECONDS
        while yard.ended() < count and time.monotonic() < deadline:
            yard.keep_agents()
            time.sleep(0.2)
        verdict = judge(yard, load, faults)
        yard.is_kept = not verdict.is_good
        return verdict


def main() -> int:
    """Parse the command line, run, and print the verdict."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="default: a random one")
    parser.add_argument("--count", type=int, default=5000, help="runs; default: %(default)s")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if given.seed is None else given.seed
    print(f"soak: SEED={seed} COUNT={given.count}", flush=True)
    start = time.monotonic()
    verdict = soak(seed, given.count)
    print(f"{verdict.text()}\n{verdict.row(seed, given.count, time.monotonic() - start)}")
    return 0 if verdict.is_good else 1


if __name__ == "__main__":
    sys.exit(main())

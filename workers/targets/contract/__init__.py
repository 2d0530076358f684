"""What every target promises, as tests; also for a target in a package of your own.

    from workers.targets.contract.suite import TargetContract

    class TestSlurm(TargetContract):
        case = SlurmCase()

It needs pytest, which `pip install 'launchyard[contract]'` brings; nothing else of Launchyard imports it.
"""

from __future__ import annotations

import pytest

# So that an assertion that fails says what it had, as one in a file of tests does.
pytest.register_assert_rewrite(
    *(f"{__name__}.{module}" for module in ("ending", "following", "lab", "releasing", "submitting"))
)

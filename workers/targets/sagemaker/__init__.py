"""Jobs on Amazon SageMaker: training jobs, and processing jobs.

What is here makes the request for one, and needs neither an account nor an SDK.
"""

from __future__ import annotations

from workers.targets.sagemaker.render import render

__all__ = ["render"]

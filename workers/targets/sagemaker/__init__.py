"""Jobs on Amazon SageMaker: training jobs, and processing jobs.

`render` makes the request for one, and needs neither an account nor an SDK. What speaks to AWS is `target`, and what
that stands on.
"""

from __future__ import annotations

from workers.targets.sagemaker.render import doubts, render

__all__ = ["doubts", "render"]

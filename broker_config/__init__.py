"""What producers and agents agree on: settings, queues, jobs, runs, the message and the store.

Nothing here imports `producer` or `workers`, and no SDK of a target or a cloud.
"""

__version__ = "0.1.0"

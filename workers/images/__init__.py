"""What every builder of container images shares: the Dockerfile of a job's code, and what that code wants installed."""

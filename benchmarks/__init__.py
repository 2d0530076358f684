"""Ratios against stock Celery, measured in the same run on the same broker: `make bench` prints the table."""

"""Kinds that operators bring to a cluster, and small operators for them, for the tests."""

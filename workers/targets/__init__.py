"""Targets: the resources on which jobs run. A target is everything that knows one platform."""

"""Environments: the clouds whose credentials the agent uses."""

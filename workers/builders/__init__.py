"""Builders: from fetched code to what a target runs, an image or an environment."""

"""Registries: where images are kept."""

"""Building with BuildKit, in an engine or by itself, by way of `docker buildx` as a process of our own."""

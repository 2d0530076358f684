"""The server: the HTTP API of an installation, for those who shall not reach its broker."""

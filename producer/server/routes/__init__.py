"""The API's paths: one module a noun."""

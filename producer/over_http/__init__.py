"""An installation as its server shows it: the HTTP API's client."""

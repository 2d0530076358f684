"""The web page: HTML made here, over the same installation and with the same rights as the API."""

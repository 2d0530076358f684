"""`python -m producer.server HOST PORT`: the server, with the settings of the environment."""

from __future__ import annotations

import logging
import socket
import sys

from broker_config.errors import LaunchyardError
from broker_config.log_format import write_json
from broker_config.settings import load_settings
from producer.server.app import create_app
from producer.server.serving import serve


def main(host: str, port: int) -> int:
    """Answer until SIGINT or SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        settings = load_settings()
        if settings.log_format == "json":
            write_json(logging.getLogger())
        app = create_app(settings)
        listener = socket.create_server((host, port))
    except (LaunchyardError, OSError) as error:
        sys.stderr.write(f"error: the server cannot start: {error}\n")
        return 1
    serve(app, listener)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))

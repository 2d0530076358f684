from __future__ import annotations

import subprocess

FORBIDDEN = (
    "docker",
    "kubernetes",
    "boto3",
    "botocore",
    "google",
    "azure",
    "celery",
    "kombu",
    "click",
    "rich",
    "flower",
)


def test_importing_the_producer_loads_no_sdk_no_celery_and_no_command_line(python: str) -> None:
    # Given a fresh interpreter, which has a package of Google's from its start by a file that is installed beside it
    script = "import sys; before = {*sys.modules}; import producer; print(*{*sys.modules} - before)"

    # When it imports the producer
    loaded = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True, timeout=60).stdout

    # Then none of the heavy packages came with it
    assert not {name.partition(".")[0] for name in loaded.split()} & set(FORBIDDEN)


def test_everything_that_the_producer_promises_can_be_imported() -> None:
    # Given the package's list of public names
    import producer

    # When each is looked up, then it is there
    assert all(hasattr(producer, name) for name in producer.__all__)

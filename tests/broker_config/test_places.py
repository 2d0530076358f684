"""Places are opened by their URLs, and cost nothing where they are not used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from broker_config.errors import ConfigError
from broker_config.places import open_place
from broker_config.settings import load_settings

HEAVY = ("fsspec", "s3fs", "gcsfs", "adlfs", "aiohttp", "botocore", "google.auth", "azure")


@pytest.mark.parametrize("url", ["s4://bucket/folder", "/mnt/shared", "http://host/folder"])
def test_a_url_of_no_place_is_refused_with_those_that_there_are(url: str) -> None:
    with pytest.raises(ConfigError, match=r"names no place for code; (did you mean 's3'|known: abfs, file, gs, s3)"):
        open_place(url)


@pytest.mark.parametrize("url", ["file://host/folder", "file:///"])
def test_a_folder_of_another_machine_or_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"is no folder of this machine; write file:///mnt/shared/launchyard"):
        open_place(url)


@pytest.mark.parametrize(
    "url", ["s3://key:secret@bucket/folder", "s3://", "bucket/folder", "gs://bucket?token=secret", "s3:///"]
)
def test_a_setting_that_is_no_place_or_holds_a_secret_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match="code_store: write file:///mnt/shared/folder, s3://bucket/folder") as caught:
        load_settings({"LAUNCHYARD_CODE_STORE": url})
    assert "secret" not in str(caught.value).replace("without a secret", "")


def test_a_slash_at_the_end_does_not_make_another_place() -> None:
    assert load_settings({"LAUNCHYARD_CODE_STORE": "s3://bucket/folder/"}).code_store == "s3://bucket/folder"
    account = "abfs://container@account.dfs.core.windows.net/folder"
    assert load_settings({"LAUNCHYARD_CODE_STORE": account}).code_store == account


def test_neither_a_producer_nor_an_agent_imports_a_store_that_no_archive_is_in(home: Path) -> None:
    # Given a process of both that knows of a code store, and stores small code on the broker
    program = f"""
import io, sys
import producer, workers.agent, workers.sources.code
from hashlib import sha256
from broker_config.jobs import CodeSource
from broker_config.settings import load_settings
from broker_config.store import Store
store = Store(load_settings())
store.code.put(io.BytesIO(b"code"), CodeSource(digest="sha256:" + sha256(b"code").hexdigest(), size_bytes=4))
store.code.sweep()
print([name for name in {HEAVY!r} if name in sys.modules])
from broker_config.embedded import EmbeddedBroker
EmbeddedBroker(load_settings().home).stop()
"""
    environment = {"LAUNCHYARD_HOME": str(home), "LAUNCHYARD_CODE_STORE": "s3://bucket/folder", "PATH": "/usr/bin:/bin"}
    # When
    answer = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    # Then
    assert answer.stdout.strip() == "[]", answer.stderr

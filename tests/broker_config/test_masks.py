from __future__ import annotations

from typing import Any

import pytest

from broker_config.masks import masked, without_password


@pytest.mark.parametrize(
    ("shown", "hidden"),
    [
        ({"HF_TOKEN": "abc", "LR": "1"}, {"HF_TOKEN": "***", "LR": "1"}),
        (
            {"Env": ["AWS_SECRET_ACCESS_KEY=abc", "api_key=abc", "A=b=c"]},
            {"Env": ["AWS_SECRET_ACCESS_KEY=***", "api_key=***", "A=b=c"]},
        ),
        ({"env": [{"name": "PASSWORD", "value": "abc"}]}, {"env": [{"name": "PASSWORD", "value": "***"}]}),
    ],
)
def test_values_of_variables_that_hold_a_secret_are_masked(shown: Any, hidden: Any) -> None:
    assert masked(shown) == hidden


@pytest.mark.parametrize(
    "plain",
    [
        {"secretKeyRef": {"name": "wandb", "key": "password"}},
        {"encryption_spec_key_name": "projects/p"},
        {"MAX_TOKENS": "512", "KEYBOARD": "us"},
        ["--auth=none", "WANDB_API_KEY"],
    ],
)
def test_what_only_looks_like_a_secret_is_shown(plain: Any) -> None:
    assert masked(plain) == plain


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "postgresql://alice:s3cret@host:5432/db?sslmode=require",
            "postgresql://alice:***@host:5432/db?sslmode=require",
        ),
        (
            "postgresql://host/db?user=alice&password=s3cret&sslpassword=x",
            "postgresql://host/db?user=alice&password=***&sslpassword=***",
        ),
        ("postgresql://alice@host/db", "postgresql://alice@host/db"),
        ("sqlite:///srv/history.db", "sqlite:///srv/history.db"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown

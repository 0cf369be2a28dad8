"""What is a password, a signature or a token is not shown; everything else is, to the letter."""

import pytest

from paribus.host.secrets import without_secrets, without_secrets_in_code


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:secret@host:5000/x", "http://***@host:5000/x"),
        ("at https://secret@host, and", "at https://***@host, and"),
        ("http://u:se@cret@host", "http://***@host"),
        ("s3://key:secret@bucket/shards", "s3://***@bucket/shards"),
        ("https://h/a?X-Amz-Signature=secret&x=1", "https://h/a?X-Amz-Signature=***&x=1"),
        ("https://h/a?x=1&access_token=secret", "https://h/a?x=1&access_token=***"),
        ("https://h/a?AWSAccessKeyId=secret&Signature=secret%3D", "https://h/a?AWSAccessKeyId=***&Signature=***"),
        ("https://h/a?sv=2024&sig=secret", "https://h/a?sv=2024&sig=***"),
        ("https://h/a?api_key=secret#top", "https://h/a?api_key=***#top"),
    ],
)
def test_a_secret_in_an_address_is_hidden(text: str, shown: str) -> None:
    assert without_secrets(text) == shown
    assert without_secrets(text.encode()) == shown.encode()
    assert without_secrets(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:5000/#/experiments/1/runs/2",
        "s3://bucket/shards/train-{000000..000004}.tar",
        "mail someone@example.org",
        "model.width = 4, optimizer.lr=0.1, key=5",
        "https://host/a?page=2&monkey=3@home",
        "file:///data/a@b",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert without_secrets(text) == text


@pytest.mark.parametrize(
    "line",
    [
        '+PASSWORD = "secretvalue"',
        "+export AWS_SECRET_ACCESS_KEY=secretvalue",
        "+  api_key: secretvalue",
        "+{'auth_token': 'secretvalue'}",
        "+DB = 'postgres://u:secretvalue@h/db'",
        "+x = 'AKIASECRETVALUE12345'",
        "+y = ghp_secretvaluesecretvalue12",
        "+z = 'hf_secretvaluesecretvaluesec'",
        "+-----BEGIN RSA PRIVATE KEY-----\n+secretvalue\n+-----END RSA PRIVATE KEY-----",
    ],
)
def test_a_secret_in_a_diff_is_hidden_and_its_place_is_not(line: str) -> None:
    found = without_secrets_in_code(f" before\n{line}\n after = 1\n")
    assert "secretvalue" not in found.lower()
    assert found.startswith(" before\n+")
    assert "***" in found
    assert found.endswith(" after = 1\n")


def test_code_without_a_secret_stays() -> None:
    code = "+def passed(num_tokens):\n+    return num_tokens + key_padding\n+    lr = 0.1\n"
    assert without_secrets_in_code(code) == code

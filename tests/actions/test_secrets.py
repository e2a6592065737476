from __future__ import annotations

from pathlib import Path

import pytest

from actions.secrets import SecretError, SecretStore, fill, has_secret


def store_of(folder: Path, text: str, mode: int = 0o600) -> SecretStore:
    file = folder / "secrets.toml"
    file.write_text(text, "utf-8")
    file.chmod(mode)
    return SecretStore(file, {})


def test_every_named_secret_is_filled_in() -> None:
    values = {"a": "one", "mail-password": "p{}\\1"}
    assert fill("{{secret:a}} {{secret:mail-password}}!", values.__getitem__) == "one p{}\\1!"


@pytest.mark.parametrize("text", ["{secret:a}", "{{ secret:a }}", "{{secret:a", "plain"])
def test_what_names_no_secret_stays(text: str) -> None:
    assert not has_secret(text)
    assert fill(text, {}.__getitem__) == text


def test_a_file_is_asked_before_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "secrets.toml"
    file.write_text('mail-password = "from file"\n')
    file.chmod(0o600)
    environment = {"EYEHAND_SECRET_MAIL_PASSWORD": "from env", "EYEHAND_SECRET_B_C": "other"}
    store = SecretStore(file, environment)
    assert store("mail-password") == "from file"
    assert store("b.c") == "other"
    assert store.known() == ("from file",)


@pytest.mark.parametrize("name", ["absent", "", "a b", "../x", "x" * 65])
def test_a_secret_that_cannot_be_had_is_named_with_the_fix(name: str) -> None:
    with pytest.raises(SecretError, match="secret"):
        SecretStore(None, {})(name)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(SecretError, match="shorter than 3"):
        SecretStore(None, {"EYEHAND_SECRET_A": "xy"})("a")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('a = "hunter2', "expected lines"),
        ('a = "hunter2"\nb = 5\nc = "x"', "b: expected.*c: expected"),
    ],
)
def test_a_bad_file_is_refused_without_being_quoted(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(SecretError, match=complaint) as caught:
        store_of(tmp_path, text)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="chmod 600"):
        store_of(tmp_path, 'a = "hunter2"', 0o644)
    with pytest.raises(SecretError, match="FileNotFound"):
        SecretStore(tmp_path / "none", {})

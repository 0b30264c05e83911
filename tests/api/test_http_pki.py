"""Certificates: made at first start, kept, renewed in time, private."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ktui.engine.api.http.secure import server_names
from ktui.engine.api.pki import issuing
from ktui.engine.api.pki.folder import Pki, PkiError

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = list(server_names("127.0.0.1"))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_everything_made_is_readable_by_the_owner_only(tmp_path: Path):
    folder = tmp_path / "pki"
    assert Pki(folder).prepare(NAMES, NOW)
    assert mode(folder) == 0o700
    assert sorted(path.name for path in folder.iterdir()) == [
        "admin.crt",
        "admin.key",
        "apiserver.crt",
        "apiserver.key",
        "ca.crt",
        "ca.key",
    ]
    assert {mode(path) for path in folder.iterdir()} == {0o600}


def test_a_folder_others_could_read_is_closed(tmp_path: Path):
    tmp_path.chmod(0o755)
    Pki(tmp_path).prepare(NAMES, NOW)
    assert mode(tmp_path) == 0o700


def test_the_server_is_known_by_every_name_clients_use(tmp_path: Path):
    Pki(tmp_path).prepare(NAMES, NOW)
    found = issuing.names_of((tmp_path / "apiserver.crt").read_bytes())
    assert found >= {
        "127.0.0.1",
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "10.96.0.1",
    }


def test_what_is_good_is_kept(tmp_path: Path):
    pki = Pki(tmp_path)
    pki.prepare(NAMES, NOW)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert not pki.prepare(NAMES, NOW + timedelta(days=300))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_certificates_are_renewed_a_month_before_they_end_and_the_authority_stays(tmp_path: Path):
    pki = Pki(tmp_path)
    pki.prepare(NAMES, NOW)
    authority = pki.authority
    later = NOW + timedelta(days=340)
    assert pki.prepare(NAMES, later)
    assert pki.authority == authority
    assert issuing.expires(pki.admin.certificate) == later + timedelta(days=365)


def test_an_authority_that_ends_soon_is_replaced_with_all_it_signed(tmp_path: Path):
    pki = Pki(tmp_path)
    pki.prepare(NAMES, NOW)
    old = pki.authority
    assert pki.prepare(NAMES, NOW + timedelta(days=3640))
    assert pki.authority != old
    assert issuing.belongs(pki.admin, pki.authority)


def test_a_new_name_gets_a_new_server_certificate_only(tmp_path: Path):
    pki = Pki(tmp_path)
    pki.prepare(NAMES, NOW)
    admin = pki.admin
    assert pki.prepare([*NAMES, "ktui.example.org"], NOW)
    assert "ktui.example.org" in issuing.names_of((tmp_path / "apiserver.crt").read_bytes())
    assert pki.admin == admin


@pytest.mark.parametrize("name", ["apiserver.crt", "apiserver.key", "admin.crt", "admin.key"])
def test_a_damaged_or_lost_leaf_is_made_again(tmp_path: Path, name: str):
    pki = Pki(tmp_path)
    pki.prepare(NAMES, NOW)
    (tmp_path / name).write_bytes(b"nonsense")
    assert pki.prepare(NAMES, NOW)
    (tmp_path / name).unlink()
    assert pki.prepare(NAMES, NOW)
    pki.server_context()


def test_a_damaged_authority_is_never_replaced_silently(tmp_path: Path):
    pki = Pki(tmp_path)
    pki.prepare(NAMES, NOW)
    (tmp_path / "ca.key").write_bytes(b"nonsense")
    with pytest.raises(PkiError, match="put back a copy, or remove the folder"):
        pki.prepare(NAMES, NOW)


def test_an_authority_with_another_ones_key_is_refused(tmp_path: Path):
    pki = Pki(tmp_path / "a")
    pki.prepare(NAMES, NOW)
    Pki(tmp_path / "b").prepare(NAMES, NOW)
    (tmp_path / "a" / "ca.key").write_bytes((tmp_path / "b" / "ca.key").read_bytes())
    with pytest.raises(PkiError, match="don't fit each other"):
        pki.prepare(NAMES, NOW)


def test_another_clusters_client_is_not_this_ones(tmp_path: Path):
    ours, theirs = Pki(tmp_path / "a"), Pki(tmp_path / "b")
    ours.prepare(NAMES, NOW)
    theirs.prepare(NAMES, NOW)
    assert issuing.belongs(ours.issue("alice", ("dev",), NOW), ours.authority)
    assert not issuing.belongs(theirs.issue("alice", ("dev",), NOW), ours.authority)


def test_issuing_without_an_authority_says_what_makes_one(tmp_path: Path):
    with pytest.raises(PkiError, match="ktui serve"):
        Pki(tmp_path).issue("alice", (), NOW)

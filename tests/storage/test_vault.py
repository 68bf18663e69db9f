"""Tokens at rest: unreadable without the key, renewed by one worker only (F44, F49)."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa

from orchestrator.errors import Stale
from orchestrator.ports import Token
from orchestrator.settings import Misconfigured
from orchestrator.storage.tables import tokens
from orchestrator.storage.vault import Cipher, DatabaseVault
from tests.firm import START

TOKEN = Token("access-1", "refresh-1", START, version=1)


@pytest.fixture
def vault(uow):
    return DatabaseVault(uow, Cipher(["the key"]), "clio")


def test_what_was_sealed_opens_again():
    cipher = Cipher(["the key"])
    sealed = cipher.seal("a secret")
    assert cipher.open(sealed) == "a secret"
    assert b"a secret" not in sealed


def test_F49_after_a_rotation_old_rows_open_and_new_ones_use_the_new_key():
    old, rotated, new = Cipher(["old"]), Cipher(["new", "old"]), Cipher(["new"])
    assert rotated.open(old.seal("before")) == "before"
    assert new.open(rotated.seal("after")) == "after"


def test_a_wrong_key_is_named_with_what_to_do():
    with pytest.raises(Misconfigured, match=r"ORCH_SECRET_KEY does not open .* put the former key after the new one"):
        Cipher(["other"]).open(Cipher(["the key"]).seal("a secret"))


def test_a_token_comes_back_as_it_was_stored(vault):
    assert vault.current() is None
    vault.store(TOKEN)
    assert vault.current() == TOKEN


def test_no_token_stands_in_the_database_as_it_is(vault, uow):
    vault.store(TOKEN)
    with uow.read() as work:
        row = work.connection.execute(sa.select(tokens)).mappings().one()
    for stored in (row["access_token"], row["refresh_token"]):
        assert b"access-1" not in bytes(stored)
        assert b"refresh-1" not in bytes(stored)


def test_only_a_newer_token_is_stored(vault):
    vault.store(replace(TOKEN, version=2))
    for version in (1, 2):
        with pytest.raises(Stale):
            vault.store(replace(TOKEN, access_token="late", version=version))
    assert vault.current().access_token == "access-1"


def test_F44_of_many_workers_one_renews(vault):
    vault.store(TOKEN)
    barrier = threading.Barrier(8)

    def try_it(_):
        barrier.wait()
        return vault.begin_refresh(1, seconds=15)

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(try_it, range(8))) == [False] * 7 + [True]
    vault.store(replace(TOKEN, access_token="access-2", version=2))
    assert not vault.begin_refresh(1, seconds=15), "the old version is renewed already"
    assert vault.begin_refresh(2, seconds=15)


def test_F44_a_renewal_whose_worker_died_is_begun_again_when_its_time_is_over(vault):
    vault.store(TOKEN)
    assert vault.begin_refresh(1, seconds=0)
    assert vault.begin_refresh(1, seconds=15)
    assert not vault.begin_refresh(1, seconds=15)


def test_F45_a_revoked_token_is_renewed_by_nobody(vault):
    vault.store(TOKEN)
    vault.revoke(7)
    assert not vault.current().revoked
    vault.revoke(1)
    assert vault.current().revoked
    assert not vault.begin_refresh(1, seconds=15)
    vault.store(replace(TOKEN, version=2))
    assert not vault.current().revoked

"""Files that a bank gives out, read into what the domain knows."""

from pathlib import Path

from orchestrator.domain.accounts import FirmAccount
from orchestrator.domain.bank_statements import BankStatement, UnusableStatement
from orchestrator.statements.mapped_csv import read_csv
from orchestrator.statements.mapping import load_mapping
from orchestrator.statements.ofx import read_ofx

LARGEST = 64 * 1024 * 1024
"""Bytes of a statement file: ten years of a busy account."""


def read_statement(content: bytes, account: FirmAccount, *, config_dir: Path, mapping: str) -> BankStatement:
    """OFX by its header, anything else as CSV by a mapping of `config/statements`; `UnusableStatement` says what is wrong."""
    if len(content) > LARGEST:
        raise UnusableStatement(f"The file is larger than {LARGEST // 1024 // 1024} MB: fetch a shorter period.")
    head = content[:2000].upper()
    if b"OFXHEADER" in head or b"<OFX>" in head:
        return read_ofx(content, account)
    return read_csv(content, account, load_mapping(config_dir, mapping))

"""Cells of a CSV file that a spreadsheet shows as text, whatever stands in them, and reads back as it was (F79)."""

FORMULA = frozenset("=+-@\t\r\n")
"""With one of these in front a spreadsheet takes a cell for a formula, and does what it says."""


def neutral(text: str) -> str:
    """`text` with an apostrophe in front if a spreadsheet would run it; `plain` takes it away again."""
    return f"'{text}" if _marked(text) else text


def plain(cell: str) -> str:
    """What `neutral` was given; a cell that it did not touch stays as it is."""
    return cell[1:] if cell.startswith("'") and _marked(cell[1:]) else cell


def _marked(text: str) -> bool:
    return text.lstrip(" ")[:1] in FORMULA or text.startswith("'") if text else False

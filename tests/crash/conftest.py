"""Deaths on either database."""

from tests.databases import either_url

__all__ = ["either_url"]

"""Clio as its clients see it over HTTP: fields, filters, pages, etags, tokens, limits and errors."""

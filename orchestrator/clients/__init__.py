"""Systems reached over HTTP."""

"""The stand-in law firm: its records, and what happens to them. Knows nothing of HTTP."""

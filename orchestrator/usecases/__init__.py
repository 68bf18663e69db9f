"""What the worker does for the firm: one verb a file."""

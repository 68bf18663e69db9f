"""The database: the queue of record and our mirror of what Clio told us. `unit_of_work` holds the only commit."""

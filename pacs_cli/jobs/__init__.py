"""Jobs of sending: what there is to send and what became of each, in one SQLite file."""

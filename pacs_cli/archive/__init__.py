"""The embedded archive: files in folders and an SQLite index of them."""

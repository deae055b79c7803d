"""One file per command: options, engine, report."""

"""Work over many files: finding them, sending them."""

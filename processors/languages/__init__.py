"""Languages: one file each."""

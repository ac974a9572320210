"""What a list of reports shows: its columns, its map, and the same as a file."""

"""What the administrator sets by hand: units, categories, standards, facility types, areas, tags, one at a time."""

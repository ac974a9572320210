"""What the district learns from its dispatchers: categories, units, and how often it was right."""

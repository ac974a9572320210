"""Tags: the district's own short words on reports, in colours."""

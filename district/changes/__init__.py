"""Before and after: what staff changed in the district's own data, and taking it back."""

"""The register of facilities (部件库): loaded from files, kept up by hand, searched, taken along."""

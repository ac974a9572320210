"""How fast Bihuan is, beside floors measured in the same run on the same machine: `make bench`."""

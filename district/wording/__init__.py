"""The sentences that residents are sent, as the panel may word them. They are read from the catalogue alone."""

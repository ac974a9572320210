"""How long everything is kept that does not stay for ever: the one list, by which the scheduler tidies."""

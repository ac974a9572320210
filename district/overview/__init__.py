"""The district in one look: the figures of the wall display and of its interactive twin."""

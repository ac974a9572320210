"""What staff are told of, once, inside the panel."""

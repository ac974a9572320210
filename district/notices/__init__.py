"""What staff are told in the panel: one row for each person, unread until they have seen it."""

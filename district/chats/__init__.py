"""What residents and the chat said to each other, kept for a stated time."""

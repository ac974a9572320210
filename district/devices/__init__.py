"""Devices on facilities, what they alarm about, and how an alarm becomes a report."""

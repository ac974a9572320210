"""Facilities (部件) and the QR codes on them."""

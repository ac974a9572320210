"""What can be reported: categories and their case standards."""

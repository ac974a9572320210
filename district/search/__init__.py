"""Full text over reports, in Chinese as well, the same on both databases."""

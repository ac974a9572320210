"""The routing rules as a whole: who changed what, every version kept, and changing them by hand."""

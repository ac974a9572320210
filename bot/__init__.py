"""Door 1: the WeChat official account's chat."""

"""WeChat's message push: what arrives is checked, opened and read here, and what goes back is sealed."""

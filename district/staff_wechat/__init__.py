"""Staff in WeChat: whose openid is whose, and what is sent there."""

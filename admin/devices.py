"""A browser's own description, as the two words somebody recognises their device by."""

from __future__ import annotations

from district.messages import has, t

# In this order: most browsers also claim to be the ones further down.
_BROWSERS = (
    ("wxwork", "wecom"), ("micromessenger", "wechat"), ("edg", "edge"), ("huaweibrowser", "huawei"),
    ("miuibrowser", "xiaomi"), ("ucbrowser", "uc"), ("qqbrowser", "qq"), ("firefox", "firefox"), ("fxios", "firefox"),
    ("chrome", "chrome"), ("crios", "chrome"), ("safari", "safari"),
)  # fmt: skip
_SYSTEMS = (
    ("harmonyos", "harmony"), ("openharmony", "harmony"), ("android", "android"), ("iphone", "iphone"),
    ("ipad", "ipad"), ("windows", "windows"), ("mac os", "mac"), ("linux", "linux"),
)  # fmt: skip


def device_of(description: str) -> str:
    """`<browser>/<system>`; `other` for what we do not know. description: the header User-Agent."""
    plain = description.lower()
    browser = next((name for mark, name in _BROWSERS if mark in plain), "other")
    system = next((name for mark, name in _SYSTEMS if mark in plain), "other")
    return f"{browser}/{system}"


def device_words(device: str) -> str:
    """`Chrome, Windows` in the reader's language."""
    browser, _, system = device.partition("/")
    names = (f"accounts.browser.{browser}", f"accounts.system.{system}")
    return t("admin.between").join(t(key) for key in names if has(key))


def is_phone(device: str) -> bool:
    return device.partition("/")[2] in ("harmony", "android", "iphone", "ipad")

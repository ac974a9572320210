"""The roles of staff. Pure, so that the table of transitions can name them."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a member of staff does; one person may have several."""

    ACCEPTOR = "acceptor"  # 受理员
    DISPATCHER = "dispatcher"  # 派遣员
    SHIFT_LEAD = "shift_lead"  # 值班长
    UNIT_MANAGER = "unit_manager"
    HANDLER = "handler"  # 处置人员
    VERIFIER = "verifier"  # 监督员
    INSPECTOR = "inspector"  # 督查员
    LEADER = "leader"
    ADMINISTRATOR = "administrator"

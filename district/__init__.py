"""The house: everything Bihuan knows about reports, units and places.

Knows no WeChat XML and no door. HTTP appears in `frame/` and `app.py` only.
"""

"""A table as a workbook for a spreadsheet: a sheet with the rows, a sheet with what their columns mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import BytesIO

from xlsxwriter import Workbook

from district.messages import t

MIME = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def make(
    title: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[str | int | float | None]],
    meanings: Iterable[tuple[str, str]],
) -> BytesIO:
    """The workbook's bytes. A fraction is a share, shown as percent; None says that there is too little to say."""
    made = BytesIO()
    # Names come from people: never read as a formula or an address.
    book = Workbook(made, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    head = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bg_color": "#E5F4EB", "border": 1})
    big, faint = book.add_format({"bold": True, "font_size": 14}), book.add_format({"font_color": "#56626E"})
    count, share = book.add_format({"num_format": "#,##0"}), book.add_format({"num_format": "0.00%"})
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    sheet = book.add_worksheet(t("numbers.workbook.sheet"))
    sheet.write_string(0, 0, title, big)
    for column, name in enumerate(heads):
        sheet.write_string(2, column, name, head)
    line = 2
    for line, row in enumerate(rows, 3):
        for column, value in enumerate(row):
            if value is None:
                sheet.write_string(line, column, t("numbers.page.too_few"), faint)
            elif isinstance(value, str):
                sheet.write_string(line, column, value)
            else:
                sheet.write_number(line, column, value, share if isinstance(value, float) else count)
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, len(heads), 14)
    sheet.freeze_panes(3, 1)
    sheet.autofilter(2, 0, line, len(heads) - 1)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    words = book.add_worksheet(t("numbers.workbook.meanings"))
    for number, (name, means) in enumerate(meanings):
        words.write_string(number, 0, name, wrapped)
        words.write_string(number, 1, means, wrapped)
    words.set_column(0, 0, 18)
    words.set_column(1, 1, 90)
    book.close()
    made.seek(0)
    return made

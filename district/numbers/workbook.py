"""Figures as a workbook: a sheet with the numbers, a sheet with what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from xlsxwriter import Workbook

from district.messages import t
from district.numbers.figures import FIGURES, Shape, Value

MIME = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def make(
    title: str, first: str, rows: Sequence[tuple[str, Sequence[Value]]], *, response_hours: int, satisfied_stars: int
) -> BytesIO:
    """The workbook's bytes. first: the heading of the names; rows: (name, values in the order of FIGURES).

    Shares are numbers between 0 and 1 shown as percent, times are hours; where there is too little the cell says so.
    """
    made = BytesIO()
    # Names come from people: never read as a formula or an address.
    book = Workbook(made, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    head = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bg_color": "#E5F4EB", "border": 1})
    big, wrapped = (
        book.add_format({"bold": True, "font_size": 14}),
        book.add_format({"text_wrap": True, "valign": "top"}),
    )
    formats = {
        Shape.COUNT: book.add_format({"num_format": "#,##0"}),
        Shape.SHARE: book.add_format({"num_format": "0.0%"}),
        Shape.SPAN: book.add_format({"num_format": "0.0"}),
    }
    faint = book.add_format({"font_color": "#56626E"})
    sheet = book.add_worksheet(t("numbers.workbook.sheet"))
    sheet.write_string(0, 0, title, big)
    sheet.write_string(2, 0, first, head)
    for column, figure in enumerate(FIGURES, 1):
        name = t(f"numbers.figure.{figure.code}.name")
        sheet.write_string(
            2, column, t("numbers.workbook.hours", name=name) if figure.shape is Shape.SPAN else name, head
        )
    for line, (name, values) in enumerate(rows, 3):
        sheet.write_string(line, 0, name)
        for column, value in enumerate(values, 1):
            if value.value is None:
                sheet.write_string(line, column, t("numbers.page.too_few"), faint)
            else:
                number = round(value.value / 3600, 2) if value.figure.shape is Shape.SPAN else value.value
                sheet.write_number(line, column, number, formats[value.figure.shape])
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, len(FIGURES), 11)
    sheet.freeze_panes(3, 1)
    sheet.autofilter(2, 0, 2 + len(rows), len(FIGURES))
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    meanings = book.add_worksheet(t("numbers.workbook.meanings"))
    for column, key in enumerate(("figure", "formula", "leaves_out", "least")):
        meanings.write_string(0, column, t(f"numbers.meaning.{key}"), head)
    for line, figure in enumerate(FIGURES, 1):
        key = f"numbers.figure.{figure.code}"
        meanings.write_string(line, 0, t(f"{key}.name"), wrapped)
        meanings.write_string(line, 1, t(f"{key}.formula", hours=response_hours, stars=satisfied_stars), wrapped)
        meanings.write_string(line, 2, t(f"{key}.leaves_out", hours=response_hours), wrapped)
        meanings.write_string(line, 3, str(figure.least) if figure.least else "", wrapped)
    meanings.set_column(0, 0, 14)
    meanings.set_column(1, 2, 60)
    book.close()
    made.seek(0)
    return made

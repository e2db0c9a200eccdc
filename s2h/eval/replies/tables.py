"""Read the rows of tables of replies: Excel's .xlsx and tab-separated .tsv, with the names of columns in the first row."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from s2h.errors import one_line
from s2h.eval.questions import tsv
from s2h.record import Record, RecordError

ENDINGS = (".xlsx", ".tsv")


def read(name: str, on_error: Callable[[RecordError], None]) -> Iterator[Record]:
    """Yield the rows of a table. Cells are texts, and empty ones are left out. The error of a row goes to on_error; an error
    of the file is raised."""
    for where, fields in tsv.table(name) if name.endswith(".tsv") else _sheet(name):
        if isinstance(fields, RecordError):
            on_error(fields)
        else:
            yield Record(_kept(fields), where=where, base=os.path.dirname(name))


def _kept(fields: dict[str, Any]) -> dict[str, str]:
    """Return the cells as texts, without empty ones; an empty reply is kept."""
    texts = {column: _text(value) for column, value in fields.items() if column}
    return {column: value for column, value in texts.items() if value or column == "prediction"}


def _text(value: Any) -> str:
    """Return a cell as text. Excel holds whole numbers as floats, and true and false as truth values."""
    if value is None or value != value:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _sheet(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (FILE:ROW, cells by column) of the first sheet. A formula has the value that was stored with it."""
    from openpyxl import load_workbook

    try:
        book = load_workbook(name, read_only=True, data_only=True)
        lines = book.worksheets[0].iter_rows(values_only=True)
        columns = [_text(cell) for cell in next(lines, ())]
        for number, cells in enumerate(lines, 2):
            if any(cell is not None for cell in cells):
                yield f"{name}:{number}", dict(zip(columns, cells, strict=False))
        book.close()
    except Exception as error:  # a damaged file can raise anything in openpyxl
        raise RecordError(
            f"can't be read as an Excel file: {one_line(error, 160)}",
            where=name,
            remedy="save it again, or as .tsv",
        ) from None

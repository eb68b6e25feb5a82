"""Text files of an export: CSV columns, JSON values, and times in the spelling of each vendor."""

import csv
import io
import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from lib.data.archive import printable

MOST_TEXT_BYTES = 2 << 30  # of a CSV file
MOST_JSON_BYTES = 512 << 20  # of a JSON file, which takes ten times as much memory


class SourceError(ValueError):
    """A file of an export that cannot be read as its format: carries `file`, `column`, `row` and `value`."""

    def __init__(self, problem, *, file, column=None, row=None, value=None):
        self.file, self.column, self.row, self.value = file, column, row, value
        where = [printable(file)]
        where += [f"column {printable(column)}"] if column is not None else []
        where += [f"row {row}", f"value {value!r}"] if row is not None else []
        super().__init__(" ".join(f"{', '.join(where)}: {problem}".split()))


def folded(name):
    """A column's name without case, blanks, underscores and byte-order marks: `User_ID` and `userId ` are one."""
    return re.sub(r"[\s_\ufeff]+", "", name).lower()


def obstacle(head):
    """What keeps a file, by its first bytes, from being read as a table, and the remedy; None for other files."""
    if (head.startswith(b"PK\x03\x04") and b"xl/" in head[:4096]) or head.startswith(b"\xd0\xcf\x11\xe0"):
        return "a spreadsheet, such as Excel's: save its sheet as CSV UTF-8"
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "the text is UTF-16: save it as CSV UTF-8"
    if head.startswith(b"PK\x03\x04"):
        return "a zip without a file of a known format: unpack it, and give the file or folder of readings"
    return None


def head_text(entry):
    """The first lines of a text file, without byte-order marks; empty for what is not UTF-8 text."""
    head = entry.head
    if b"\0" in head:
        return ""
    return head.decode("utf-8", errors="ignore").lstrip("\ufeff")


def header(entry, *, line=0):
    """The folded column names of a CSV file, a tuple; empty where there are none."""
    lines = head_text(entry).splitlines()
    if len(lines) <= line or lines[line].lstrip()[:1] in ("{", "[", "<"):
        return ()
    return tuple(folded(name) for name in next(csv.reader([lines[line]]), []))


def first_row(entry, *, line=1):
    """The values of a CSV file's first row, {folded column: text}; empty where there is none."""
    lines = head_text(entry).splitlines()
    values = next(csv.reader([lines[line]]), []) if len(lines) > line else []
    return dict(zip(header(entry, line=line - 1), values, strict=False))


def columns(entry, names, *, skip=0):
    """Columns of a CSV file as text.

    Parameters
    ----------
    names : iterable of str
        Folded names of the columns to read.
    skip : int
        Lines before the header.

    Returns
    -------
    dict of str to pyarrow.Array
        Each column's values; an empty cell is "".

    Raises
    ------
    SourceError
        If a row has more or fewer values than the header, or the text is not UTF-8.
    """
    content = entry.read(MOST_TEXT_BYTES)
    lines = content[: 1 << 20].decode("utf-8", "replace").splitlines()[skip : skip + 2]
    spelled, *row = csv.reader(lines)
    places = {folded(name): number for number, name in enumerate(spelled)}
    trailing_comma = bool(row) and len(row[0]) == len(spelled) + 1 and not row[0][-1]
    numbered = [str(number) for number in range(len(spelled) + trailing_comma)]
    try:
        table = arrow_csv.read_csv(
            io.BytesIO(content),
            arrow_csv.ReadOptions(skip_rows=skip + 1, column_names=numbered, use_threads=False),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=[str(places[name]) for name in names],
                column_types=dict.fromkeys(numbered, pa.string()),
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        raise SourceError(f"cannot be read as CSV ({error})", file=entry.name) from error
    return {name: table[str(places[name])].combine_chunks() for name in names}


def times(texts, formats, entry, column="time"):
    """Times in ms since 1970 on their own clock, an int64 array.

    Parameters
    ----------
    texts : pyarrow.Array or list of str
    formats : tuple of str
        strptime formats; the first is tried for all values, the next ones where it fails. Fractions of a second
        are read in any case.

    Raises
    ------
    SourceError
        If a value fits none, naming its row.
    """
    texts = pc.utf8_trim_whitespace(pa.array(texts, pa.string()) if isinstance(texts, list) else texts)
    whole, fraction_ms = _without_fractions(texts)
    parsed = pc.strptime(whole, format=formats[0], unit="ms", error_is_null=True)
    for spelling in formats[1:]:
        if parsed.null_count == 0:
            break
        parsed = pc.coalesce(parsed, pc.strptime(whole, format=spelling, unit="ms", error_is_null=True))
    if parsed.null_count:
        row = pc.index(pc.is_null(parsed), True).as_py()
        problem = f"expected a time such as {pc.strftime(pa.scalar(0, pa.timestamp('s')), formats[0]).as_py()}"
        raise SourceError(problem, file=entry.name, column=column, row=row + 1, value=texts[row].as_py())
    return parsed.cast(pa.int64()).to_numpy(zero_copy_only=False) + fraction_ms


def _without_fractions(texts):
    """Times without their fractions of a second, and these in ms."""
    if not pc.any(pc.match_substring(texts, ".")).as_py():
        return texts, 0
    digits = pc.struct_field(pc.extract_regex(texts, r"\.(?P<digits>\d+)"), "digits")
    fraction = pc.fill_null(pc.binary_join_element_wise("0.", digits, ""), "0").cast(pa.float64())
    whole = pc.replace_substring_regex(texts, r"\.\d+", "")
    return whole, np.round(1000 * fraction.to_numpy(zero_copy_only=False)).astype(np.int64)


def numbers(texts, entry, column="value"):
    """Numbers of text, a float64 array; NaN for an empty cell. Raises SourceError, naming the row of any other."""
    texts = pc.utf8_trim_whitespace(pa.array(texts, pa.string()) if isinstance(texts, list) else texts)
    blank = pc.equal(texts, "")
    try:
        values = pc.if_else(blank, None, texts).cast(pa.float64())
    except pa.ArrowInvalid:
        row = next(row for row, text in enumerate(texts.to_pylist()) if text and not _is_number(text))
        problem = "expected a number"
        raise SourceError(problem, file=entry.name, column=column, row=row + 1, value=texts[row].as_py()) from None
    return pc.fill_null(values, np.nan).to_numpy(zero_copy_only=False)


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def json_value(entry):
    """The value of a JSON file. Raises SourceError where it is not JSON, or nested too deep."""
    try:
        return json.loads(entry.read(MOST_JSON_BYTES))
    except (ValueError, RecursionError) as error:
        raise SourceError(f"cannot be read as JSON ({error})", file=entry.name) from error


def joined(dates, clocks):
    """Dates and times of day as one text each."""
    return pc.binary_join_element_wise(dates, clocks, " ")


def by_wearer(ids, entry, column):
    """Each wearer of a column of ids, and the places of their rows: a list of (str, ndarray).

    Ids are trimmed, and 15.0 is 15. Raises SourceError for one in E notation, which a spreadsheet has rounded.
    """
    encoded = pc.dictionary_encode(pc.utf8_trim_whitespace(ids))
    names = [whole_id(name, entry, column) for name in encoded.dictionary.to_pylist()]
    code = encoded.indices.to_numpy()
    order = np.argsort(code, kind="stable")
    bounds = np.searchsorted(code[order], np.arange(len(names) + 1))
    return [(name, order[bounds[number] : bounds[number + 1]]) for number, name in enumerate(names)]


def whole_id(name, entry, column):
    """A wearer's id without a spreadsheet's `.0`. Raises SourceError for one in E notation, or empty."""
    if not name or re.fullmatch(r"[+-]?\d+([.,]\d+)?[eE][+-]?\d+", name):
        problem = (
            "expected a wearer's id in full; a spreadsheet has rounded it: export it again, as text" if name else ""
        )
        raise SourceError(problem or "expected a wearer's id", file=entry.name, column=column, row=1, value=name)
    return re.sub(r"^(\d+)\.0+$", r"\1", name)


def offset_ms(spelled, entry, column):
    """The ms of an offset such as -0700, +05:30 or Z. Raises SourceError for anything else."""
    digits = re.fullmatch(r"\s*(?:Z|([+-])(\d{2}):?(\d{2}))\s*", spelled)
    if not digits:
        raise SourceError("expected an offset such as -0700", file=entry.name, column=column, row=1, value=spelled)
    sign, hours, minutes = digits.groups()
    return (-1 if sign == "-" else 1) * (int(hours or 0) * 60 + int(minutes or 0)) * 60_000


def offset_text(offset_ms):
    """An offset in ms as +05:30."""
    minutes = abs(int(offset_ms)) // 60_000
    return f"{'-' if offset_ms < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"

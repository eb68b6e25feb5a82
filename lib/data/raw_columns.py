"""The names and values of a raw table's columns, as people and spreadsheets spell them."""

import re

import numpy as np
import pandas as pd

from lib.data.archive import printable
from lib.data.text import folded
from lib.detector.features import COUNTERS

NAMES = ("user_id", "timestamp", "heartRate", *COUNTERS, "label")
NORMAL_LABELS = ("", "0", "0.0", "normal", "false")
_BY_FOLDED = {folded(name): name for name in NAMES}
_A_PERSON = re.compile(
    r"(user|subject|participant|person|wearer|patient|member|client|people)?(s|id|ids|name|no|number)?"
)
_ROUNDED = re.compile(r"\d([.,]\d+)?[eE][+-]\d+")


def recognised(names):
    """The raw table's columns among `names`.

    Returns
    -------
    (dict, list)
        {name as written: name in the raw table}, and the names that match nothing.

    Raises
    ------
    ValueError
        If two columns have one meaning.
    """
    known, ignored = {}, []
    for name in names:
        meaning = _BY_FOLDED.get(folded(str(name)))
        if meaning is None:
            ignored.append(printable(name))
        elif meaning in known.values():
            twins = " and ".join(
                printable(repr(each)) for each in [*(k for k, v in known.items() if v == meaning), name]
            )
            raise ValueError(f"expected one column {meaning}, got {twins}")
        else:
            known[name] = meaning
    return known, ignored


def likely_wearers(ignored):
    """The ignored columns whose names say that they may tell who the wearer is."""
    return [name for name in ignored if folded(name) and _A_PERSON.fullmatch(folded(name))]


def plain_id(name):
    """A wearer's id, trimmed, and without the `.0` that a spreadsheet or a missing value adds to a number.

    >>> plain_id(" 15.0 "), plain_id("a-7"), plain_id("007")
    ('15', 'a-7', '007')
    """
    return re.sub(r"^(\d+)\.0+$", r"\1", str(name).strip())


def is_rounded(name):
    """Whether an id is in E notation: a spreadsheet has rounded it, and two wearers may have become one.

    >>> is_rounded("2.02E+09"), is_rounded("12E4")
    (True, False)
    """
    return bool(_ROUNDED.fullmatch(str(name).strip()))


def plain_ids(column):
    """A column of ids (N,) as text, and the first row whose id is missing or rounded, or None."""
    code, written = pd.factorize(column)
    names = np.array([plain_id(_whole(name)) for name in written], dtype=object)
    bad = np.array([not name or is_rounded(name) for name in names], dtype=bool)
    rows = np.flatnonzero((code < 0) | np.isin(code, np.flatnonzero(bad)))
    if len(rows):
        return None, int(rows[0])
    return pd.Series(names[code], index=column.index).astype("str"), None


def _whole(name):
    return int(name) if isinstance(name, float | np.floating) and float(name).is_integer() else name


def plain_labels(column):
    """Labels (N,) as text: "" for normal life, however that is spelled."""
    code, written = pd.factorize(column.astype("str").fillna(""))
    names = [name.strip() for name in written]
    plain = np.array(["" if name.lower() in NORMAL_LABELS else name for name in names], dtype=object)
    return pd.Series(plain[code], index=column.index).astype("str")


def numeral_remedy(value):
    """What is wrong with a text that should be a number, as far as its spelling tells; else ""."""
    spelled = str(value).strip()
    if re.fullmatch(r"[+-]?\d{1,3}([,'  ]\d{3})+(\.\d+)?", spelled):
        return ": save it without thousands separators"
    if re.fullmatch(r"[+-]?\d+,\d+", spelled):
        return ": save it with decimal points instead of commas"
    return ""

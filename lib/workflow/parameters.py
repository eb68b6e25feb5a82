"""The parameters that notebooks declare, and the values given for them on the command line.

A notebook declares its parameters in its cell tagged `parameters`: literals, typed, with a comment:

    epochs: int = 20  # most epochs of training

The cell is read with `ast` and `tokenize`: papermill's own inspection costs an import of seconds,
and a misspelt name is to be refused at once.
"""

import ast
import difflib
import io
import json
import math
import os
import tokenize
from dataclasses import dataclass, replace
from pathlib import Path

from lib.files import ROOT, resolve

TYPES = {"int": int, "float": float, "bool": bool, "str": str}
_WANTED = {"int": "an int is wanted", "float": "a float is wanted", "bool": "true or false is wanted"}


class UsageError(ValueError):
    """What the user asked for can not be done; the message is one line that says why."""


@dataclass(frozen=True)
class Parameter:
    """A parameter, as the notebooks that take it declare it."""

    name: str
    type: str
    default: object
    comment: str
    notebooks: tuple = ()


def declared(notebooks):
    """{name: Parameter} of these notebooks (paths), in the order in which they declare them.

    Raises UsageError where two notebooks disagree on a parameter's type or default: a name means one thing.
    """
    found = {}
    for notebook in notebooks:
        for parameter in in_notebook(notebook):
            first = found.setdefault(parameter.name, parameter)
            if (first.type, first.default) != (parameter.type, parameter.default):
                raise UsageError(
                    f"{parameter.name} is {first.type} = {first.default!r} in {first.notebooks[0]}, "
                    f"but {parameter.type} = {parameter.default!r} in {notebook.stem}"
                )
            takers = (*first.notebooks, notebook.stem) if first is not parameter else first.notebooks
            found[parameter.name] = replace(first, notebooks=takers)
    return found


def in_notebook(notebook):
    """The Parameters of one notebook's cell tagged `parameters`; none where it has no such cell."""
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if "parameters" in cell["metadata"].get("tags", ()):
            try:
                return [replace(p, notebooks=(notebook.stem,)) for p in in_source("".join(cell["source"]))]
            except (ValueError, SyntaxError) as error:
                raise UsageError(f"the parameters of {notebook.name} can not be read: {error}") from error
    return []


def in_source(source):
    """The Parameters that a cell's source declares: `name: type = literal  # comment`, the type optional.

    Raises ValueError or SyntaxError for anything else.
    """
    statements = ast.parse(source).body
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {t.start[0]: t.string.lstrip("# ").strip() for t in tokens if t.type == tokenize.COMMENT}
    found = []
    for node in statements:
        if isinstance(node, ast.AnnAssign):
            name, kind = ast.unparse(node.target), ast.unparse(node.annotation)
        elif isinstance(node, ast.Assign) and len(node.targets) == 1:
            name, kind = ast.unparse(node.targets[0]), None
        else:
            raise ValueError(f"{ast.unparse(node)!r} is no parameter")
        default = ast.literal_eval(node.value)
        kind = kind or type(default).__name__
        if kind not in TYPES:
            raise ValueError(f"{name} is of type {kind}, which is none of {', '.join(TYPES)}")
        found.append(Parameter(name, kind, default, comments.get(node.end_lineno, "")))
    return found


def parse(parameter, text):
    """`text` as a value of the parameter's type. Raises UsageError naming both."""
    try:
        if parameter.type == "bool":
            return {"true": True, "false": False}[text.lower()]
        value = TYPES[parameter.type](text)
        if parameter.type == "float" and not math.isfinite(value):
            raise ValueError(text)
    except (ValueError, KeyError):
        raise UsageError(f"{parameter.name}={text}: {_WANTED[parameter.type]}") from None
    return value


def given(words, known):
    """{name: value} of the command line's `name=value` words, where `known` is what `declared` found.

    Raises UsageError for an unknown name, an ill-typed value and a name that is given twice.
    """
    values = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise UsageError(f"{word!r} is neither an option nor name=value")
        if name not in known:
            raise UsageError(f"no notebook has a parameter {name!r}{did_you_mean(name, known)}")
        if name in values:
            raise UsageError(f"{name} is given twice")
        values[name] = parse(known[name], text)
    return values


def word(name, value):
    """The `name=value` that `given` reads back."""
    return f"{name}={str(value).lower() if isinstance(value, bool) else value}"


def did_you_mean(name, known):
    """The end of a message about a name that is not known: the nearest that is, or where to read them all."""
    nearest = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {nearest[0]!r}?" if nearest else "; see ./run_all.sh --help"


def located(values):
    """`values` with every `*_path` checked, and made absolute where the caller's folder has it.

    Otherwise a relative path starts at the repository root. Raises UsageError naming a missing file.
    """
    return {name: _located(name, value) if name.endswith("_path") else value for name, value in values.items()}


def caller_dir():
    """The folder in which the user gave the command; run_all.sh, which leaves it, sets CALLER_DIR."""
    return Path(os.environ.get("CALLER_DIR") or Path.cwd()).resolve()


def _located(name, value):
    if not value or value.startswith("s3://"):
        return value
    caller = caller_dir()
    for path in (value,) if caller == ROOT else (str(caller / value), value):
        try:
            resolve(path)
        except FileNotFoundError:
            continue
        return path
    raise UsageError(f"{name}={value}: no such file or folder")


def described(known):
    """The lines of help on these parameters: one a parameter, below the notebook that declares it first."""
    lines, heading = [], None
    width = max((len(_definition(p)) for p in known.values()), default=0)
    for parameter in known.values():
        first, *others = parameter.notebooks
        if first != heading:
            lines += ["", f"{first}:"]
            heading = first
        also = f" (also {', '.join(others)})" if others else ""
        lines.append(f"  {_definition(parameter):{width}}  {parameter.comment}{also}".rstrip())
    return lines


def _definition(parameter):
    default = str(parameter.default).lower() if parameter.type == "bool" else parameter.default
    return f"{parameter.name}={default}  [{parameter.type}]"

"""The parameters that notebooks declare, and the values that the command line gives them.

A notebook declares its parameters in the cell tagged `parameters`: typed literals, each with a comment:

    epochs: int = 20  # most epochs of training

`ast` and `tokenize` read the cell. `papermill.inspect_notebook` would miss each parameter whose comment contains `=`.
Besides, importing papermill takes over a second, and a misspelt name should be refused at once.
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
_EXPECTED = {"int": "an int", "float": "a float", "bool": "true or false"}


class UsageError(ValueError):
    """The request cannot be carried out. The message is one line that says why."""


@dataclass(frozen=True)
class Parameter:
    """A parameter as its notebooks declare it."""

    name: str
    type: str  # one of TYPES
    default: object
    comment: str
    notebooks: tuple = ()


def declared_parameters(notebooks):
    """Return {name: Parameter} of these notebooks (paths), in order of declaration.

    Raises
    ------
    UsageError
        If two notebooks disagree on the type or default of a parameter: a name means one thing.
    """
    parameters = {}
    for notebook in notebooks:
        for parameter in notebook_parameters(notebook):
            first = parameters.setdefault(parameter.name, parameter)
            if (first.type, first.default) != (parameter.type, parameter.default):
                raise UsageError(
                    f"{parameter.name} is {first.type} = {first.default!r} in {first.notebooks[0]}, "
                    f"but {parameter.type} = {parameter.default!r} in {notebook.stem}"
                )
            users = (*first.notebooks, notebook.stem) if first is not parameter else first.notebooks
            parameters[parameter.name] = replace(first, notebooks=users)
    return parameters


def notebook_parameters(notebook):
    """Return the Parameters of a notebook's cell tagged `parameters`, a list; empty without such a cell.

    Raises
    ------
    UsageError
        If the cell holds anything but typed literals.
    """
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if "parameters" in cell["metadata"].get("tags", ()):
            try:
                parameters = parse_declarations("".join(cell["source"]))
            except (ValueError, SyntaxError) as error:
                raise UsageError(f"the parameters of {notebook.name} cannot be read: {error}") from error
            return [replace(parameter, notebooks=(notebook.stem,)) for parameter in parameters]
    return []


def parse_declarations(source):
    """Return the Parameters that a cell declares as `name: type = literal  # comment`. The type is optional.

    Raises
    ------
    ValueError, SyntaxError
        For any other code.
    """
    statements = ast.parse(source).body
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {t.start[0]: t.string.lstrip("# ").strip() for t in tokens if t.type == tokenize.COMMENT}
    parameters = []
    for node in statements:
        if isinstance(node, ast.AnnAssign):
            name, kind = ast.unparse(node.target), ast.unparse(node.annotation)
        elif isinstance(node, ast.Assign) and len(node.targets) == 1:
            name, kind = ast.unparse(node.targets[0]), None
        else:
            raise ValueError(f"expected name: type = literal, got {ast.unparse(node)!r}")
        default = ast.literal_eval(node.value)
        kind = kind or type(default).__name__
        if kind not in TYPES:
            raise ValueError(f"{name}: expected one of the types {', '.join(TYPES)}, got {kind}")
        parameters.append(Parameter(name, kind, default, comments.get(node.end_lineno, "")))
    return parameters


def parse_value(parameter, text):
    """Return `text` as a value of the parameter's type.

    Raises
    ------
    UsageError
        If it is not one; the message holds the name and the text.
    """
    try:
        if parameter.type == "bool":
            return {"true": True, "false": False}[text.lower()]
        value = TYPES[parameter.type](text)
        if parameter.type == "float" and not math.isfinite(value):
            raise ValueError(text)
    except (ValueError, KeyError):
        raise UsageError(f"{parameter.name}={text}: expected {_EXPECTED[parameter.type]}") from None
    return value


def parse_arguments(arguments, known):
    """Return {name: value} of the command line's `name=value` arguments.

    Parameters
    ----------
    arguments : list of str
    known : dict
        The result of `declared_parameters`.

    Raises
    ------
    UsageError
        For an unknown name, a value of another type, or a name that occurs twice.
    """
    values = {}
    for argument in arguments:
        name, equals, text = argument.partition("=")
        if not equals:
            raise UsageError(f"expected an option or name=value, got {argument!r}")
        if name not in known:
            raise UsageError(f"no notebook has a parameter {name!r}{did_you_mean(name, known)}")
        if name in values:
            raise UsageError(f"{name} occurs twice; give it once")
        values[name] = parse_value(known[name], text)
    return values


def format_argument(name, value):
    """Return the `name=value` that `parse_arguments` reads back."""
    return f"{name}={str(value).lower() if isinstance(value, bool) else value}"


def did_you_mean(name, known):
    """Return the end of a message about an unknown name: the nearest known one, or where all are listed."""
    nearest = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {nearest[0]!r}?" if nearest else "; see ./run_all.sh --help"


def resolve_paths(values):
    """Return `values` with each `*_path` checked, and made absolute if it exists in the caller's folder.

    Any other relative path starts at the repository root.

    Raises
    ------
    UsageError
        If a file is missing; the message names it.
    """
    return {name: _resolve_path(name, value) if name.endswith("_path") else value for name, value in values.items()}


def caller_dir():
    """Return the folder in which the user gave the command. run_all.sh changes folder and sets CALLER_DIR."""
    return Path(os.environ.get("CALLER_DIR") or Path.cwd()).resolve()


def _resolve_path(name, value):
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


def help_lines(known):
    """Return the help on these parameters, a line each, below the notebook that declares it first."""
    lines, heading = [], None
    width = max((len(_definition(parameter)) for parameter in known.values()), default=0)
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

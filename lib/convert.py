"""Convert a watch's export to the raw table: `.venv/bin/python -m lib.convert SOURCE --out readings.parquet`.

SOURCE is a file, a folder or a zip, here or on s3://, of any format in `lib/data/sources/`. What was recognised,
assumed, merged and left out is printed and kept in the Parquet file.
"""

import argparse
import functools
import sys
from pathlib import Path

from tqdm import tqdm

from lib.data import conversion
from lib.data.sources import formats


def main(arguments=None):
    """Run the command line. Returns the exit status: 0, or 2 for a source that cannot be read."""
    options = _parser().parse_args(arguments)
    try:
        table, report = conversion.convert(
            options.source, timezone=options.timezone, progress=functools.partial(tqdm, desc="reading", disable=None)
        )
        conversion.write(table, report, Path(options.out))
    except (ValueError, OSError) as error:
        print(f"{_one_line(error)}", file=sys.stderr)
        return 2
    print("\n".join(report.lines()))
    print(f"wrote {len(table):,} rows to {options.out}")
    return 0


def _parser():
    known = "; ".join(module.NAME for module in formats())
    parser = argparse.ArgumentParser(
        prog="python -m lib.convert",
        description="Convert a watch's export to the raw table.",
        epilog=f"Reads: {known}.",
    )
    parser.add_argument("source", metavar="SOURCE", help="a file, folder or zip; local or s3://")
    parser.add_argument("--out", required=True, metavar="FILE.parquet", help="the Parquet file to write")
    parser.add_argument(
        "--timezone", metavar="ZONE", help="where the wearer lives, as in Europe/Paris: UTC is moved to it"
    )
    return parser


def _one_line(error):
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())

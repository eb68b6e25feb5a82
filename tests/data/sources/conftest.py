"""Exports of the tests' own making, converted."""

import pytest

from lib.data import conversion


@pytest.fixture
def convert(tmp_path):
    """Converts files {name: text or bytes}: returns the raw table and the report."""

    def convert_files(files, **options):
        folder = tmp_path / "export"
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return conversion.convert(folder, **options)

    return convert_files

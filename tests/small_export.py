"""A run's lambda_export whose zip is for Lambda's Python and small: NumPy's place in it is there, NumPy is not.

`lib.bundle.unpacked` lets the local NumPy stand in for one of another Python, so the code runs here as it is.
"""

import json
import shutil
import zipfile

import numpy as np

from lib import bundle, checksums

NUMPY = {  # of the wheel for Lambda's Python, as far as anybody looks at it here
    "numpy/_core/_multiarray_umath.cpython-313-x86_64-linux-gnu.so": b"",
    "numpy.libs/libopenblas.so": b"",
    f"numpy-{np.__version__}.dist-info/licenses/LICENSE.txt": b"",
}


def write(folder, export, *, run, shift=0.0, numpy=NUMPY, extra=None):
    """Make `folder` from the export of conftest: a run's name, its last layer's bias moved by `shift`.

    numpy: what stands for it in the zip; extra: more of the zip's files, {name: bytes}.
    """
    folder.mkdir()
    for path in {export / "lambda_function.py", export / bundle.ZIP, export / "model.json", *export.glob("*.np[yz]")}:
        shutil.copyfile(path, folder / path.name)
    with np.load(folder / "lstm_weights.npz") as held:
        arrays = dict(held)
    np.savez(folder / "lstm_weights.npz", **{**arrays, "dense_bias": arrays["dense_bias"] + np.float32(shift)})
    _write_zip(folder, run, {**numpy, **(extra or {})})
    seal(folder, run=run)


def seal(folder, **changes):
    """Let model.json list the files of `folder` as they are now."""
    path = folder / "model.json"
    files = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file() and p != path}
    sums = {name: checksums.sha256(file) for name, file in files.items()}
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes, "files": sums}))


def _write_zip(folder, run, added):
    with zipfile.ZipFile(folder / bundle.ZIP) as opened:
        own = {n: opened.read(n) for n in opened.namelist() if not n.startswith("numpy") and n != checksums.SUMS}
    own["lstm_weights.npz"] = (folder / "lstm_weights.npz").read_bytes()
    model = json.loads(own["model.json"])
    files = {**model["files"], "lstm_weights.npz": checksums.sha256(folder / "lstm_weights.npz")}
    own["model.json"] = json.dumps({**model, "run": run, "files": files}).encode()
    held = folder.with_name(f"{folder.name}.unpacked")
    for name, content in own.items():
        (held / name).parent.mkdir(parents=True, exist_ok=True)
        (held / name).write_bytes(content)
    own[checksums.SUMS] = checksums.written({name: held / name for name in own}).encode()
    shutil.rmtree(held)
    with zipfile.ZipFile(folder / bundle.ZIP, "w") as archive:
        for name, content in {**own, **added}.items():
            archive.writestr(name, content)

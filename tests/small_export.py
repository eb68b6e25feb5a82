"""A run's lambda_export with a small zip for Lambda's Python: empty files stand for its packages.

`lib.export.bundle.unpacked` replaces packages for another Python by the local ones, so the code runs here.
"""

import json
import shutil
import zipfile

import numpy as np
import onnx
import onnxruntime

from lib.detector import checksums
from lib.detector.export_folder import MODEL, NETWORK, NORMAL, THRESHOLD
from lib.export import bundle
from lib.export.wheels import COMPILED, is_package_file

PACKAGES = {  # files of the wheels for Lambda's Python that the tests look at
    **{f"{module}.cpython-313-x86_64-linux-gnu.so": b"" for module in COMPILED.values()},
    "numpy.libs/libopenblas.so": b"",
    f"numpy-{np.__version__}.dist-info/licenses/LICENSE.txt": b"",
    f"onnxruntime-{onnxruntime.__version__}.dist-info/METADATA": b"",
}
LISTS = (checksums.SUMS, checksums.CRCS)


def write(folder, export, *, run, shift=0.0, packages=PACKAGES, extra=None):
    """Write `folder` from the export of conftest, with another run name and its last layer's bias moved by `shift`.

    packages, extra: files of the zip, {name: bytes}, that stand for packages, and more.
    """
    folder.mkdir()
    for name in ("lambda_function.py", bundle.ZIP, MODEL, THRESHOLD, NETWORK, NORMAL):
        shutil.copyfile(export / name, folder / name)
    _move_bias(folder / "lstm_model.onnx", shift)
    _write_zip(folder, run, {**packages, **(extra or {})})
    seal(folder, run=run)


def seal(folder, **changes):
    """List the present files of `folder` in its model.json."""
    path = folder / "model.json"
    files = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file() and p != path}
    sums = {name: checksums.sha256(file) for name, file in files.items()}
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes, "files": sums}))


def _move_bias(path, shift):
    model = onnx.load(path)
    (bias,) = (constant for constant in model.graph.initializer if constant.name == "dense_bias")
    bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) + np.float32(shift), bias.name))
    onnx.save(model, path)


def _write_zip(folder, run, added):
    with zipfile.ZipFile(folder / bundle.ZIP) as opened:
        files = {n: opened.read(n) for n in opened.namelist() if not is_package_file(n) and n not in LISTS}
    files["lstm_model.onnx"] = (folder / "lstm_model.onnx").read_bytes()
    model = json.loads(files["model.json"])
    sums = {**model["files"], "lstm_model.onnx": checksums.sha256(folder / "lstm_model.onnx")}
    files["model.json"] = json.dumps({**model, "run": run, "files": sums}).encode()
    unpacked = folder.with_name(f"{folder.name}.unpacked")
    for name, content in files.items():
        (unpacked / name).parent.mkdir(parents=True, exist_ok=True)
        (unpacked / name).write_bytes(content)
    lists = checksums.write(unpacked, {name: unpacked / name for name in files})
    files |= {name: path.read_bytes() for name, path in lists.items()}
    shutil.rmtree(unpacked)
    with zipfile.ZipFile(folder / bundle.ZIP, "w") as archive:
        for name, content in {**files, **added}.items():
            archive.writestr(name, content)

"""The autoencoder's forward pass, by onnxruntime: what the notebooks, batch scoring and Lambda run.

Equal to Keras' within rounding. One thread does it, and what it needed is given back after each call: onnxruntime
would else keep room for the largest batch it ever saw.
"""

import numpy as np
import onnxruntime

_ERRORS_ALONE = 3  # of onnxruntime's own log


class Network:
    """An exported autoencoder, ready to rebuild windows. Threads may share it; it can be pickled."""

    def __init__(self, content):
        """content: the bytes of an ONNX file that lib.training.onnx_graph wrote. Raises ValueError for another's.

        A damaged file can end the process: its SHA-256 is to be checked before.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = options.enable_mem_pattern = False
        options.log_severity_level = _ERRORS_ALONE
        self._content = content
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # a dozen kinds, which have nothing else in common
            raise ValueError(f"no ONNX model ({type(error).__name__})") from None
        if [given.name for given in self._session.get_inputs()] != ["windows"]:
            raise ValueError("an ONNX model of something else than windows")
        self.shape = tuple(self._session.get_inputs()[0].shape[1:])  # (length, features) of a window

    @classmethod
    def load(cls, path):
        """The Network in a file. Raises ValueError where it holds none."""
        with open(path, "rb") as file:
            return cls(file.read())

    def __reduce__(self):
        return type(self), (self._content,)

    def reconstruct(self, windows):
        """Reconstructions (N, length, features) float32 of scaled windows of that shape."""
        given = np.ascontiguousarray(windows, dtype=np.float32)
        return self._session.run(None, {"windows": given})[0] if len(given) else given.copy()

"""The autoencoder's forward pass by onnxruntime, for notebooks, batch scoring and Lambda.

It equals Keras' within rounding. It runs in one thread, and memory is returned after each call; by default onnxruntime
keeps room for the largest batch it has seen.
"""

import numpy as np
import onnxruntime

_ERRORS_ALONE = 3  # onnxruntime's log level


class Network:
    """An exported autoencoder, ready to rebuild windows. Threads may share it; it can be pickled."""

    def __init__(self, content):
        """content: the bytes of an ONNX file that lib.training.onnx_graph wrote. Raises ValueError for any other.

        A damaged file can end the process: check its SHA-256 first.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = options.enable_mem_pattern = False
        options.log_severity_level = _ERRORS_ALONE
        self._content = content
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # a dozen kinds without a common base
            raise ValueError(f"no ONNX model ({type(error).__name__})") from None
        if [value.name for value in self._session.get_inputs()] != ["windows"]:
            raise ValueError("expected an ONNX model of windows, got one with other inputs")
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
        windows = np.ascontiguousarray(windows, dtype=np.float32)
        return self._session.run(None, {"windows": windows})[0] if len(windows) else windows.copy()

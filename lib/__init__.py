"""The detector's domain, one concept a module, from raw readings to the bundle, which needs NumPy and onnxruntime."""

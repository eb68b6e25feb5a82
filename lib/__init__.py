"""The detector's domain, one concept a module, from raw readings to the bundle (whose modules need NumPy alone)."""

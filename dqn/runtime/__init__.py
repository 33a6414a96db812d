"""The process and its machine: errors, limits, TensorFlow's import, caches."""

"""DQN itself: plain tensors and Keras models; no Config, no files."""

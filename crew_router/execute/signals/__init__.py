"""What can be read from an answer about its being right; each signal is its own small piece."""

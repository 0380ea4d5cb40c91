"""Inference of what `crew-router train` fitted: predictions before a call, and the probability that an answer is right."""

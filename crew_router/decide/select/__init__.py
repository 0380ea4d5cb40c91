"""From an order of models to the mode, the pinned model and the fallbacks."""

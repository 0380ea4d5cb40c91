"""Learning from outcomes: rewards, and what moves with them."""

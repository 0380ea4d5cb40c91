"""Keep what happened: the ledger for history and money, the state for the numbers that the next decision reads."""

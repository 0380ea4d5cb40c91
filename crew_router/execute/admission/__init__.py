"""What may refuse a call before it is made: breakers, budgets, service levels, concurrency."""

"""What `crew-router train` fitted, as it is read when a decision is made or an answer is weighed."""

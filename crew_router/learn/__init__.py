"""Learn online from feedback and outcomes: rewards, experiments, and replay of logged decisions."""

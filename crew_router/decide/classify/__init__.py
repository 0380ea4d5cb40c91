"""Classification: what is wanted, how hard it is, how sensitive, how long."""

"""What ``histories.py`` sends and by which rules it judges."""

"""Offline: what is fitted and judged from outcomes and published figures."""

"""Replays of real incident logs and measurements of speed; no part of what is installed."""

"""How the engine is kept running: the same calls in one process or on many machines."""

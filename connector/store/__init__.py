"""What deskclock remembers, in SQLite or PostgreSQL."""

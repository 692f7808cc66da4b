"""What is done for an account and its tickets, and when."""

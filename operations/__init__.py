"""What the people who run deskclock look at: health and logs."""

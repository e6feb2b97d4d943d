"""The rows, and who sees them."""

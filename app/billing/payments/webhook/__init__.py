"""Where the provider tells us things."""

"""Finding a space, a free place in it, and what a day there looks like."""

"""What people are told by mail: which fact is told to whom, in which words, sent once, and what became of it."""

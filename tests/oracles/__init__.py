"""Readers and judges that share nothing with the product: no code, no constants, no ideas of its makers."""

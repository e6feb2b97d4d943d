"""Sealed archives: an operator's closed month in one signed file that proves itself without a database."""

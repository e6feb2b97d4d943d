"""Dunning: reminding of what is overdue, what the law lets a creditor claim for it, and the button that stops it."""

"""Daily, monthly and annual closings with cumulative totals, and sealed archives that prove them."""

"""What a space offers: its units, resources, rules, prices and hours, and who may change them."""

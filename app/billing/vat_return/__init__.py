"""What an operator declares: the boxes of the Belgian and the French VAT return, from its finalised documents."""

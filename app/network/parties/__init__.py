"""Who pays: the legal data a document needs of a customer, and whether a VAT number is known to exist."""

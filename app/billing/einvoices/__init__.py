"""Electronic invoices: what a machine reads of a finalised document, and how it gets there."""

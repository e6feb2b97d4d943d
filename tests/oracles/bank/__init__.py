"""Bank statements with all the mess of real ones, and what is true of each entry: written from the ISO 20022 message
definition, sharing nothing with the product."""

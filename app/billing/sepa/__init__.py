"""SEPA files: transfers that give money back, debits that collect what is due, each in one file, once."""

"""What is owed before there is a document: one line per thing supplied, each with its VAT decided."""

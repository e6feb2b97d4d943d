"""The append-only double-entry ledger of each operator."""

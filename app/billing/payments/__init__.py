"""Money that comes and goes: payments, refunds, disputes, and what they pay."""

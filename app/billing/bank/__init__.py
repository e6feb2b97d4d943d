"""Bank statements: read, matched with what is owed, decided by a person where a rule does not say it exactly."""

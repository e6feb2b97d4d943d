"""Documents as people receive them: PDF, drawn from the stored snapshot and from nothing else."""

"""Plans, teams and evidence over HTTP: what can be signed, by whom, and who shares it."""

"""What a person signed: plans with dated versions, memberships, teams, cycles, credits."""

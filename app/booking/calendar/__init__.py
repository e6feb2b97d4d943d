"""Calendar feeds: the text of a calendar, and what is kept of it per booking and revision."""

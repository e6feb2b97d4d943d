"""Bookings that are paid before they are confirmed: asking for the money, and giving it back."""

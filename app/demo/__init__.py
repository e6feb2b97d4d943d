"""The demonstration: six networks and 33 spaces, with people and bookings that belong to nobody."""

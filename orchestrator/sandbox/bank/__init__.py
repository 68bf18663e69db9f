"""The firm's bank: what it booked, on which day, and the statements it gives out."""

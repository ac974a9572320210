"""Care of facilities: inspection plans, what is due, check-ins and repairs, how much of it all is in order."""

"""Who is on duty in a unit, and which unit stands in for one that is away."""

"""Music and sounds made in code: no samples, no licences, the same bytes from the same seed."""

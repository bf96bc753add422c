"""Sound as arrays: arrays in, arrays out. No files, clocks or logging."""

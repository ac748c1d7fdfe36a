"""Reading many photographs: what to read, reading it in order on several threads, results."""

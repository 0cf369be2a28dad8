"""A trial on several processes with a device each."""

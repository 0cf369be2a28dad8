"""This machine: its home folder, processes and signals, files that appear whole, and what is printed."""

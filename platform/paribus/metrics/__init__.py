"""The metrics that trials report, one file each: the only table of them. Imports no torch and nothing of ours."""

"""Figures as SVG and as plain data for drawing."""

"""Figures and their intervals, and nearest neighbors: numpy only."""

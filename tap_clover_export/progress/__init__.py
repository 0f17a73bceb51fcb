"""What a run tells people: counts, log lines, display, summary."""

"""What the next run would do: `--plan` as text, JSON and a page."""

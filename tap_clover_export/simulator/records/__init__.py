"""What exports hold: orders and payments as Clover's JSON, kept on disk."""

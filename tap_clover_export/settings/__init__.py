"""What the user says: settings, merchants and their secrets, read and checked."""

"""Singer tap for Clover's Merchant Data Export API."""

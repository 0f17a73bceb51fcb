"""Clover's rules: exports, opening hours, tokens, signed links, the ledger of calls."""

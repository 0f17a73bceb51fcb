"""Shops that sell: menus, baskets, payments, refunds, made from a seed."""

"""A page that proves itself: what it embeds, how it is sealed, and how every number in it is found again."""

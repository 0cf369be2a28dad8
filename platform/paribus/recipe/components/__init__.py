"""Parts of a recipe that have a name and may come from outside."""

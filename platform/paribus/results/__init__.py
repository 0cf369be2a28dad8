"""Results that were made elsewhere: read where they lie, told apart into arms and seeds, judged by the rule."""

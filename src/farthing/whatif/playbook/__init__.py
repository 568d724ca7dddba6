"""The savings plan: what is found in recorded calls, in the order in which to do it, with what each step saves."""

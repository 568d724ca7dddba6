"""What would have been cheaper: recorded calls and a choice to dollars, with reasons. Pure: no I/O, no clock."""

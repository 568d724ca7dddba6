"""Be told in time: unusual cost, budgets on their way past a limit, and whom to tell."""

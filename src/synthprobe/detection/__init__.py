"""What is usual, and what is not: baselines, slow and failing steps, drift, suspicion."""

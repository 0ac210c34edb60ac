"""What the author of a journey touches: steps, the API session, expectations, test data, and the guard behind them."""

"""What must hold: expectations whose failure explains itself."""

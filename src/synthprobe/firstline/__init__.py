"""What first-line support works with: runbooks, what they match, fixes, who may apply them, and the audit."""

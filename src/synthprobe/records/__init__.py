"""What travels between the parts: frozen records that turn into JSON and back. Every time is in UTC."""

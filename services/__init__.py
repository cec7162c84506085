"""What calls share, made from the settings."""

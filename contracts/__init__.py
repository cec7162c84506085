"""What the layers hand to each other: frames, the protocols of providers, and what is known of a caller."""

"""Sound as bytes: RTP packets, Opus, PCM."""

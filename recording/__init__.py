"""Records of calls: everything that came from outside, in order and with its time. Off unless ``RECORD`` is set."""

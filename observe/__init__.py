"""What the process knows of its calls: records, figures, metrics, traces. Pure but for the edges in ``transports``."""

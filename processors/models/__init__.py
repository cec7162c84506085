"""Files of models: where they are found, and how they are fetched."""

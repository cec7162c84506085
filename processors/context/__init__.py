"""The context aggregator: the conversation, and the prompt that is made of it."""

"""Many bots as one: each call's state is kept outside its process, and any node takes up what a dead one has left."""

"""What configuration files may say: reading them safely, checking them, and their JSON Schema."""

"""What the tools answer; clients get these as structured content with a schema."""

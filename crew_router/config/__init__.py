"""Read the configuration: files, environment, schema, registry of models."""

"""AI/ML API and other servers with an OpenAI-compatible embeddings endpoint."""

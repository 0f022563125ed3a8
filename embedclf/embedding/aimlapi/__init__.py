"""AI/ML API, and any other server that speaks OpenAI's embeddings protocol."""

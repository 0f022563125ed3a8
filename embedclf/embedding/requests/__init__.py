"""Concurrent requests: the limiter, the worker threads and cancellation."""

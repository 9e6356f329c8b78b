"""Programs that mypy --strict and pyright check and nobody runs; `# rejected` marks what must be an error."""

"""Schedule, retry, spread and publish the DVC pipeline with Prefect; DVC alone knows what the stages are."""

"""Fine-tuning a chat model by low-rank adapters: records, the split model, the loop."""

"""Raw sources: the only stages that download."""

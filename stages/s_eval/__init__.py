"""S-Eval: how safe chat models are: prompts of a taxonomy of risks, ten attacks on them, answers, verdicts."""

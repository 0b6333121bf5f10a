"""The audit of somebody's own model, `python -m stages.audit MODEL`: a command above the stages, none of DVC's."""

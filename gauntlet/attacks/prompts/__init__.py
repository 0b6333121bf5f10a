"""Attacks on a prompt as S-Eval defines them: each wraps, encodes or rewrites one base prompt for a chat model.

They measure whether a model that refuses a prompt still refuses it in another dress. The templates are generic; what
could do harm (prompts, demonstrations, wrappers) comes from the caller.
"""

"""Speech: corpora of human and synthetic speech, and their corruptions; they feed wapat and transaudio."""

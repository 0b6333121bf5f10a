"""TransAudio: words that recognisers are made to hear, and who of them does."""

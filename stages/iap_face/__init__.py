"""IAP: faces that resist manipulation and carry a message."""

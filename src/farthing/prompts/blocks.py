"""Request body to prefix blocks (stub; replaced shortly)."""

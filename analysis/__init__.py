"""Looks at data and at results; never imports ``model`` or ``dashboard``."""

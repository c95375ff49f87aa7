"""The shared model: faces in, perceived gender out; imports ``analysis`` for the stored data, never ``dashboard``."""

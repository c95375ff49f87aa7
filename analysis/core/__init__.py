"""What every wing of the analysis needs: places, storage, errors, names of columns, people and words.

Knows nothing of faces and imports no other wing. A module is imported by itself: the command line's help stays quick.
"""

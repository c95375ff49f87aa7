"""What decoding a photo may take. It stands by itself so that settings can name it without what decodes."""

SECONDS = 5.0  # of processor time for one photo
PROCESSES = 2  # photos other than small JPEGs and PNGs that are decoded at a time

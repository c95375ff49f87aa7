"""What a decoding process has in memory before it is given a photo: decoders, and the detector with its weights.

Imported ahead by the process that the others are forked from; see `analysis.data.decoding`.
"""

import io

import cv2
from PIL import Image

from analysis.data.detection import detect_faces
from analysis.data.photo import decode_photo

cv2.setNumThreads(1)  # threads would not survive the fork
for _format in ("JPEG", "PNG", "GIF"):  # not those that libvips decodes, which starts threads
    _file = io.BytesIO()
    Image.new("RGB", (64, 64)).save(_file, _format)
    detect_faces(decode_photo(_file.getvalue()))

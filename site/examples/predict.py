# pip install httpx; python predict.py portrait.jpg
import os
import sys

import httpx

if len(sys.argv) != 2:
    print("usage: python predict.py PHOTO", file=sys.stderr)
    sys.exit(2)
url = os.environ.get("MEANFACE_URL", "http://localhost:5006")
try:
    with open(sys.argv[1], "rb") as photo:
        answer = httpx.post(f"{url}/api/v1/predict", files={"file": photo}, timeout=30)
except (OSError, httpx.HTTPError) as error:
    sys.exit(str(error))
if answer.is_error:
    sys.exit(answer.json()["detail"])
for result in answer.json()["results"]:
    for face in result["faces"]:
        print(face["label"], face["p_male"])

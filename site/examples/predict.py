# pip install httpx; python predict.py portrait.jpg
import os
import sys

import httpx

url = os.environ.get("MEANFACE_URL", "http://localhost:5006")
with open(sys.argv[1], "rb") as photo:
    answer = httpx.post(f"{url}/api/v1/predict", files={"file": photo}, timeout=30)
if answer.is_error:
    sys.exit(answer.json()["detail"])
for result in answer.json()["results"]:
    for face in result["faces"]:
        print(face["label"], face["p_male"])

// node predict.mjs portrait.jpg
import { readFile } from "node:fs/promises";

const url = process.env.MEANFACE_URL ?? "http://localhost:5006";
const form = new FormData();
form.append("file", new Blob([await readFile(process.argv[2])]), "photo.jpg");
const answer = await fetch(`${url}/api/v1/predict`, { method: "POST", body: form });
if (!answer.ok) throw new Error((await answer.json()).detail);
for (const result of (await answer.json()).results) {
  for (const face of result.faces) console.log(face.label, face.p_male);
}

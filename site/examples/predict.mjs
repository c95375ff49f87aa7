// node predict.mjs portrait.jpg
import { readFile } from "node:fs/promises";

if (process.argv.length !== 3) {
  console.error("usage: node predict.mjs PHOTO");
  process.exit(2);
}
const url = process.env.MEANFACE_URL ?? "http://localhost:5006";
try {
  const form = new FormData();
  form.append("file", new Blob([await readFile(process.argv[2])]), "photo.jpg");
  const answer = await fetch(`${url}/api/v1/predict`, { method: "POST", body: form });
  if (!answer.ok) throw new Error((await answer.json()).detail);
  for (const result of (await answer.json()).results) {
    for (const face of result.faces) console.log(face.label, face.p_male);
  }
} catch (error) {
  console.error((error.cause ?? error).message);
  process.exitCode = 1;
}

# bash predict.sh portrait.jpg
url=${MEANFACE_URL:-http://localhost:5006}
answer=$(curl --silent --show-error --fail-with-body --form "file=@$1" "$url/api/v1/predict") ||
  { echo "$answer" >&2; exit 1; }
grep --only-matching '"label":"[^}]*' <<<"$answer" | sed 's/"label":"\(.*\)","p_male":/\1 /'

# bash predict.sh portrait.jpg
if [ $# -eq 1 ]; then
  curl --silent --show-error --fail-with-body \
    --form "file=@$1" "${MEANFACE_URL:-http://localhost:5006}/api/v1/predict"
else
  echo "usage: bash predict.sh PHOTO" >&2
  (exit 2)
fi

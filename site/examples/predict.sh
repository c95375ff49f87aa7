# bash predict.sh portrait.jpg
curl --silent --show-error --fail-with-body \
  --form "file=@$1" "${MEANFACE_URL:-http://localhost:5006}/api/v1/predict"

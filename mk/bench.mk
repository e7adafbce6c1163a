# What measures, and writes its records into docs/results.
##@ Measuring, into docs/results

# Programs that measure.
$B/tests/%_sim: $B/tests/bench/%_sim.o $B/libmodel.a $B/libproto.a
	$(LINK)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ $(MODEL_LIBS)

$B/tests/%_speed: $B/tests/bench/%_speed.o $B/libmodel.a $B/libproto.a
	$(LINK)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ $(MODEL_LIBS)

$B/tests/load_gen: $B/tests/bench/load_gen.o $B/libproto.a
	$(LINK)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ $(CLIENT_LIBS)

.PHONY: tune-sim
## tune-sim: build the offline simulator of tuning, build/tests/tune_sim
tune-sim: $B/tests/tune_sim

.PHONY: feedback-books hostile
## feedback-books: 100,000 pieces of feedback over reloads, restarts, tuning on and off; into docs/results/feedback
feedback-books: $B/diffused $B/diffuse $B/tests/make_model
	PIECES=100000 BOOKS_OUT=docs/results/feedback/books.json B=$B tests/tune/315-feedback-books.py

## hostile: 1,000 hostile connections at each socket, over ipc, TCP and CURVE; into docs/results/hostile
hostile: $B/diffused $B/diffusectl $B/tests/make_model
	HOSTILE_EACH=1000 HOSTILE_OUT=docs/results/hostile/$(notdir $B).json B=$B tests/host/362-hostile.py

.PHONY: segment-speed
## segment-speed: tokens a second of texts that grow, beside whole ones; into docs/results/segments
segment-speed: $B/tests/segment_speed
	$B/tests/segment_speed 0.3 >docs/results/segments/speed.csv

.PHONY: engine-speed
## engine-speed: every kernel and precision beside OpenBLAS's own rate; into docs/results/engine (3 minutes)
engine-speed: $B/tests/engine_speed
	$B/tests/engine_speed 0.3 >docs/results/engine/speed.csv

.PHONY: segments-soak
## segments-soak: one stream of 50 million tokens and 4,096 at once through a daemon; into docs/results/segments (2 minutes)
segments-soak: deps-check
	@$(SUBMAKE) --silent $B/diffused $B/tests/make_model
	B=$B tests/bench/segment_soak.py $(SOAK)

# Folders of DATA, as KIND:FOLDER; those that are not there are left out. Quick ones first.
PEER_SETS := tsv:huric_robot_commands tsv:drone_log_severity tsv:hwu64 tsv:intent_snips tsv:clinc150 ag_news:ag_news imdb:aclImdb

.PHONY: peers results-table train-speed
## peers: install fastText and scikit-learn, tune and score them on the data sets in DATA=FOLDER
peers: deps-peers
	@[ -d "$(DATA)" ] || { echo "peers: say where the data sets are: make peers DATA=FOLDER ($(PEER_SETS))" >&2; exit 2; }
	@for s in $(PEER_SETS); do [ ! -d "$(DATA)/$${s#*:}" ] || { spec="$${s%%:*}:$(DATA)/$${s#*:}"; \
	    tests/peers/svm_peer.py "$$spec" && tests/peers/fasttext_peer.py "$$spec"; } || exit 1; done

$B/tests/sgemm_limit: $B/tests/peers/sgemm_limit.o $B/libmodel.a $B/libproto.a
	$(LINK)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ $(MODEL_LIBS)

## train-speed: install PyTorch (large), and time diffuse train beside it and beside OpenBLAS alone
train-speed: deps deps-torch
	@$(SUBMAKE) --silent $B/diffuse $B/tests/sgemm_limit
	tests/peers/train_speed.py --build $B $(if $(DATA),--data ag_news:$(DATA)/ag_news)

.PHONY: bench bench-compare
## bench: the daemon end to end beside the model alone; into docs/results/bench (a minute; DATA=FOLDER: on its ag_news; BENCH=OPTIONS)
bench: deps-bench
	@$(SUBMAKE) --silent $(PROGRAMS) $B/tests/load_gen
	tests/bench/daemon_bench.py --build $B $(if $(DATA),--data ag_news:$(DATA)/ag_news) $(BENCH)

## bench-compare: the same of this tree and of revision BASE=REV by turns, as ratios
bench-compare: deps-bench
	@[ -n "$(BASE)" ] || { echo "bench-compare: say with what to compare: make bench-compare BASE=REVISION" >&2; exit 2; }
	@$(SUBMAKE) --silent $(PROGRAMS) $B/tests/load_gen
	@mkdir -p build/compare; rev=$$(git rev-parse --short "$(BASE)^{commit}") && base=build/compare/$$rev \
	    && { [ -d $$base ] || git worktree add --quiet --detach --force $$base $$rev >/dev/null; } \
	    && $(MAKE) --silent --no-print-directory -C $$base all B=build \
	    && tests/bench/daemon_bench.py --build $B --base $$base/build $(if $(DATA),--data ag_news:$(DATA)/ag_news) $(BENCH)

.PHONY: bench-peers
## bench-peers: install fastText and PyTorch (large), and time them beside diffused on DATA=FOLDER's ag_news; into docs/results/speed (6 minutes)
bench-peers: deps-bench deps-torch deps-peers
	@[ -d "$(DATA)/ag_news" ] || { echo "bench-peers: say where ag_news is: make bench-peers DATA=FOLDER" >&2; exit 2; }
	@$(SUBMAKE) --silent $(PROGRAMS)
	tests/peers/speed.py --build $B --data ag_news:$(DATA)/ag_news

# Folders of DATA with train.tsv and test.tsv.
TUNE_SETS := clinc150 hwu64
need_sets = [ -d "$(DATA)" ] || { echo "$@: say where the data sets are: make $@ DATA=FOLDER ($(TUNE_SETS))" >&2; exit 2; }

.PHONY: tune-bench tune-latency
## tune-bench: learning curves of online tuning on the data sets in DATA=FOLDER, through a running daemon (an hour a set)
tune-bench: deps-bench
	@$(need_sets)
	@$(SUBMAKE) --silent $(PROGRAMS)
	@for s in $(TUNE_SETS); do [ ! -d "$(DATA)/$$s" ] || tests/bench/tune_curve.py "$(DATA)/$$s" --out docs/results/tuning/$$s --build $B || exit 1; done
	tests/bench/tune_results.py docs/results/tuning

## tune-latency: latency of labels with tuning off and on by turns, on the first set in DATA=FOLDER
tune-latency: deps-bench
	@$(need_sets)
	@$(SUBMAKE) --silent $(PROGRAMS)
	tests/bench/tune_latency.py "$(DATA)/$(firstword $(TUNE_SETS))" --out docs/results/tuning/latency.json --build $B
	tests/bench/tune_results.py docs/results/tuning

.PHONY: reload-storm kill-storm
## kill-storm: kill -9 a tuning daemon at 200 random writes, fsyncs and renames; into docs/results/tuning
kill-storm: deps-check
	@$(SUBMAKE) --silent tests
	@mkdir -p docs/results/tuning
	KILLS=200 KILL_OUT=docs/results/tuning/kill.json tests/tune/330-kill.py

## reload-storm: 100 reloads under full load, every 7th file damaged; what they cost those who are served (STORM=OPTIONS)
reload-storm: deps-check
	@$(SUBMAKE) --silent $B/diffused $B/tests/make_model
	B=$B tests/bench/reload_storm.py $(STORM)

.PHONY: fairness
## fairness: the p99 of a quiet stream alone and beside a flood; into docs/results/fairness (FAIRNESS=OPTIONS)
fairness: deps-check
	@$(SUBMAKE) --silent $B/diffused $B/tests/make_model
	B=$B tests/bench/fairness.py $(FAIRNESS)

.PHONY: memory-soak
## memory-soak: an hour of messages (360,000) three times over in a cgroup of exactly the plan, and 10,000 connections; into docs/results/memory (as root)
memory-soak: deps-check
	@$(SUBMAKE) --silent $B/diffused $B/tests/make_model
	@mkdir -p docs/results/memory
	SOAK_ROWS=360000 SOAK_OUT=docs/results/memory/cgroup.json B=$B tests/host/365-cgroup.py >$B/memory-soak.log
	PEERS_CHURN=10000 B=$B tests/host/360-peers.py | tee docs/results/memory/peers.txt

## results-table: write docs/results.md from docs/results
results-table:
	@tests/peers/table.py

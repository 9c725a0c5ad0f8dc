# Everything here starts from a machine with Python 3.11 or newer and nothing else installed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test test-slow check docs bench retrain-s retrain-s-1 retrain-s-2 retrain-m retrain-m-1 retrain-m-12 retrain-l retrain-l-1 retrain-l-2 queue queue-stop queue-status queue-retry queue-pack web browser clean

demo: $(VENV)/.demo  ## read the expressions in a public-domain photo, write the annotated picture to demo/
	$(BIN)/mien demo --out demo

# A worker for each core, and one more: a quarter of the time tests wait, for processes, sockets and browsers. Each begins
# with a part of the list as it stands, so that a module's fixtures are made once, and takes from the others' ends when
# it has nothing left.
WORKERS = $(shell $(BIN)/python -c 'from mien.threads import usable_cores; print(min(8, usable_cores() + 1))')
test test-slow: export PYTHONDONTWRITEBYTECODE :=  # or every process that a test starts compiles mien anew
test: $(VENV)/.dev  ## run the tests, in 6 minutes at most; MIEN_FER2013=CSV adds those on the real data set
	$(BIN)/python -m pytest -m "not slow" --numprocesses $(WORKERS) --dist worksteal --durations 10

test-slow: $(VENV)/.dev  ## run what `make test` leaves out: before a release, and after a change of what it tests
	$(BIN)/python -m pytest -m slow --durations 10

check: $(VENV)/.dev docs  ## style, types, who may import whom, and whether the site builds
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.dev  ## build the site in docs/_build/html; a warning or a link that leads nowhere is an error
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -b html docs docs/_build/html

bench: $(VENV)/.dev  ## speed, each figure beside a named baseline; MIEN_STORE=DATA adds those that need FER2013
	$(BIN)/python benchmarks/core_install.py
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/classify.py
	$(BIN)/python benchmarks/detector.py
	$(BIN)/python benchmarks/folder.py --pictures 72
	$(BIN)/python benchmarks/peers.py
	$(BIN)/python benchmarks/video.py
	$(BIN)/python benchmarks/import_csv.py
	$(BIN)/python benchmarks/training_rate.py
	$(BIN)/python benchmarks/default_precision.py
	$(BIN)/python benchmarks/threads.py
	$(BIN)/python benchmarks/job_engines.py --inputs 200 --throughput
	if [ -n "$(MIEN_STORE)" ]; then $(BIN)/python benchmarks/alignment_parity.py "$(MIEN_STORE)"; fi
	if [ -n "$(MIEN_STORE)" ]; then $(BIN)/python benchmarks/int8.py "$(MIEN_STORE)"; fi

RETRAIN := runs/retrain
DROP    := $(if $(DROP_ROWS),--drop-rows $(DROP_ROWS))
TRAIN    = $(BIN)/mien train --resume --set licence=Apache-2.0 $(DROP)
$(RETRAIN)/fer2013: | $(VENV)/.dev
	mkdir -p $(RETRAIN)
	$(BIN)/mien data import "$(CSV)" $@

FACES   := --data $(RETRAIN)/fer2013
ROBUST  := $(RETRAIN)/robust
retrain-s-1: | $(RETRAIN)/fer2013  ## rebuild mien_s-1: make retrain-s-1 CSV=fer2013.csv [DROP_ROWS=FILE]; hours, goes on where it stopped
	$(TRAIN) --recipe mien_s $(FACES) --run $(RETRAIN)/first
	$(TRAIN) --recipe mien_s_restart --set initial_weights=$(RETRAIN)/first $(FACES) --run $(RETRAIN)/second
	$(BIN)/mien export $(RETRAIN)/second --out $(RETRAIN)/mien_s-1.onnx

retrain-s: | $(RETRAIN)/fer2013  ## rebuild mien_s: make retrain-s CSV=fer2013.csv [DROP_ROWS=FILE]; minutes on a GPU, ten hours without
	$(TRAIN) --recipe mien_s_long --set seed=21 $(FACES) --run $(ROBUST)/s-21
	$(BIN)/mien export $(ROBUST)/s-21 --half $(FACES) --name mien_s-3 --out $(RETRAIN)/mien_s-3.onnx

TEACHERS := "$(ROBUST)/wide-31", "$(ROBUST)/vgg-32", "$(ROBUST)/lite-33", \
    "$(ROBUST)/m-11", "$(ROBUST)/m-12", "$(ROBUST)/m-13"
retrain-m: retrain-m-1 retrain-m-12  ## rebuild mien_m and its six teachers, with the same arguments: half an hour on a GPU, days without
	$(BIN)/mien pretrained efficientnet_lite0 --out $(RETRAIN)/lite0.safetensors
	$(TRAIN) --recipe mien_s_long --set network=mien_teacher --set seed=31 --set epochs=80 \
	    --set 'resolutions=[[0,32],[34,38],[54,44]]' --set loss.mixup_last_epochs=8 $(FACES) --run $(ROBUST)/wide-31
	$(TRAIN) --recipe mien_s_long --set network=vgg19 --set seed=32 --set epochs=110 --set optimizer.learning_rate=0.1 \
	    --set 'resolutions=[[0,32],[46,38],[75,44]]' --set loss.mixup_last_epochs=11 $(FACES) --run $(ROBUST)/vgg-32
	$(TRAIN) --recipe efficientnet_lite_robust --set seed=33 --set initial_weights=$(RETRAIN)/lite0.safetensors \
	    $(FACES) --run $(ROBUST)/lite-33
	$(TRAIN) --recipe mien_m_robust --set seed=13 --set loss.mixup=0.6 --set loss.label_smoothing=0 \
	    $(FACES) --run $(ROBUST)/m-13
	$(TRAIN) --recipe mien_m_taught --set seed=42 --set loss.teacher_views=12 --set 'loss.teachers=[$(TEACHERS)]' \
	    $(FACES) --run $(ROBUST)/taught-42
	$(BIN)/mien export $(ROBUST)/taught-42 --half $(FACES) --name mien_m-2 --out $(RETRAIN)/mien_m-2.onnx

retrain-l: retrain-m retrain-s  ## rebuild the ensemble mien_l, with the same arguments
	$(BIN)/mien export $(RETRAIN)/mien_m-2.onnx $(RETRAIN)/mien_m-1.onnx $(RETRAIN)/mien_s-3.onnx --half $(FACES) \
	    --name mien_l-3 --out $(RETRAIN)/mien_l-3.onnx

retrain-m-1: | $(RETRAIN)/fer2013  ## rebuild mien_m-1, with the same arguments: minutes on a GPU, a day without
	$(TRAIN) --recipe mien_m_robust --set seed=11 $(FACES) --run $(ROBUST)/m-11
	$(BIN)/mien export $(ROBUST)/m-11 --half $(FACES) --name mien_m-1 --out $(RETRAIN)/mien_m-1.onnx

# as often as in mien_teacher
ALL_DEGRADED := --set augment.occlude=0.2 --set augment.blur=0.1 --set augment.motion_blur=0.05 --set augment.low_resolution=0.12 \
    --set augment.noise=0.15 --set augment.shot_noise=0.07 --set augment.jpeg=0.12
retrain-m-12: | $(RETRAIN)/fer2013  ## train the teacher that mien_m and mien_s-2 share, with the same arguments
	$(TRAIN) --recipe mien_m_robust --set seed=12 $(ALL_DEGRADED) $(FACES) --run $(ROBUST)/m-12

retrain-s-2: retrain-s-1 retrain-m-1 retrain-m-12  ## rebuild mien_s-2, with the same arguments; hours more
	$(TRAIN) --recipe mien_s_robust --set seed=1 --set initial_weights=$(RETRAIN)/second --set loss.teacher_views=4 \
	    --set 'loss.teachers=["$(ROBUST)/m-11", "$(ROBUST)/m-12"]' $(FACES) --run $(ROBUST)/s
	$(BIN)/mien export $(RETRAIN)/second $(ROBUST)/s --interpolate 0.7 --half $(FACES) $(DROP) \
	    --name mien_s-2 --out $(RETRAIN)/mien_s-2.onnx

retrain-l-2: retrain-s-2  ## rebuild the ensemble mien_l-2, with the same arguments
	$(BIN)/mien export $(RETRAIN)/mien_m-1.onnx $(RETRAIN)/mien_s-2.onnx --half $(FACES) \
	    --name mien_l-2 --out $(RETRAIN)/mien_l-2.onnx

VOTED := $(RETRAIN)/voted
$(VOTED): | $(VENV)/.dev
	$(BIN)/mien data import "$(CSV)" $@ --ferplus "$(FERPLUS)"

retrain-l-1: retrain-s-1 | $(VOTED)  ## rebuild mien_l-1: make retrain-l-1 CSV=fer2013.csv FERPLUS=fer2013new.csv [DROP_ROWS=FILE]; hours more
	$(TRAIN) --recipe mien_m --set seed=4 --data $(VOTED) --run $(RETRAIN)/wide
	$(TRAIN) --recipe mien_m_restart --set initial_weights=$(RETRAIN)/wide --set seed=6 \
	    --set 'loss.teachers=["$(RETRAIN)/second"]' --data $(VOTED) --run $(RETRAIN)/fourth
	$(TRAIN) --recipe mien_s_votes --set seed=3 --data $(VOTED) --run $(RETRAIN)/votes
	$(TRAIN) --recipe mien_s_restart --set initial_weights=$(RETRAIN)/votes --set seed=5 --set epochs=42 \
	    --set 'resolutions=[[0,38],[14,44]]' --set loss.mixup_last_epochs=10 --data $(VOTED) --run $(RETRAIN)/third
	$(BIN)/mien export $(RETRAIN)/second $(RETRAIN)/third $(RETRAIN)/fourth --half \
	    --data $(VOTED) --name mien_l-1 --out $(RETRAIN)/mien_l-1.onnx

QUEUE := $(BIN)/python -m training_queue
queue: $(VENV)/.dev  ## train training_queue/trainings.toml in the background, from where it stopped: MIEN_FER2013=CSV MIEN_FERPLUS=CSV MIEN_DROP_ROWS=[FILE] make queue
	$(QUEUE) $(QUEUE_OPTIONS) start

queue-stop:  ## stop the queue and its training, for a measurement for example; `make queue` goes on
	$(QUEUE) $(QUEUE_OPTIONS) stop

queue-status:  ## what is done, running and left; hours at hand and hours trained
	$(QUEUE) $(QUEUE_OPTIONS) status

queue-retry:  ## take up a training that failed: make queue-retry NAME=TRAINING
	$(QUEUE) $(QUEUE_OPTIONS) retry "$(NAME)"

queue-pack:  ## pack checkpoints for git, in parts below 16 MB: make queue-pack [NAMES="TRAINING ..."]
	$(QUEUE) $(QUEUE_OPTIONS) pack $(NAMES)

.PHONY: lock
lock: $(VENV)/.dev  ## what the container installs, with hashes, and its bill of materials: container/
	$(BIN)/python container/lock.py

web: $(VENV)/.dev  ## build the edition that runs in a browser, from web/ into the package; needs Node
	cd web && npm ci --ignore-scripts --no-audit --no-fund && npm run check && npm run build
	$(BIN)/python web/pack.py

browser:  ## what the tests of the page need besides: Chromium, here from Debian's packages
	apt-get install --yes chromium

clean:
	rm -rf $(VENV) demo dist build docs/_build docs/generated

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) -e .
	touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) -e '.[dev]'
	touch $@

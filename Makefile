# Two commands for a fresh machine:
#   make demo   install, profile the built-in corpus, choose a backbone, write a report
#   make test   install, lint, type-check, test, build the documentation
# VENV names the environment; uv is used where it is installed, else venv and pip.
# `make bench CORPUS="--dataset ravdess --data-root PATH"` times profiles of real speech.

PYTHON ?= python3
VENV ?= .venv
OUT ?= out
SITE ?= site
BIN = $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
LOCK = requirements.lock

ifdef UV
CREATE = $(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
INSTALL = VIRTUAL_ENV=$(abspath $(VENV)) $(UV) pip install --quiet --constraint $(LOCK)
else
CREATE = $(PYTHON) -m venv $(VENV)
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(LOCK)
endif

.PHONY: demo test lint types tests docs bench install install-test lock clean

demo: install
	mkdir -p $(OUT)
	$(BIN)/trustser profile --backbone fbank --dataset demo --db $(OUT)/demo.duckdb --cache $(OUT)/cache
	$(BIN)/trustser advise scenarios/edge.yaml -o $(OUT)/edge.html
	@echo "The trust profile is in $(OUT)/demo.duckdb (trustser profiles show fbank --db $(OUT)/demo.duckdb)."
	@echo "Open the report in a browser: $(abspath $(OUT))/edge.html"

test: install-test lint types tests docs

lint:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types:
	$(BIN)/mypy

tests:
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder --doctest-modules trustser profiler profiles_db advisor reports tests

docs: install-test
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --site-dir $(abspath $(SITE))

bench: install-test
	$(BIN)/python -m benchmarks.advise
	$(BIN)/python -m benchmarks.database
	$(BIN)/python -m benchmarks.coverage --corpora 100 --speakers 5 10 24
	$(BIN)/python -m benchmarks.joining
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.profile --backbone whisper_tiny $(CORPUS)
	$(BIN)/python -m benchmarks.profile --backbone whisper_tiny --reference-attack $(CORPUS)
	$(BIN)/python -m benchmarks.profile --backbone wavlm_base_plus --clips 120 --reference-attack $(CORPUS)

install: $(VENV)/.installed

install-test: $(VENV)/.installed-test

$(VENV)/.installed: pyproject.toml $(LOCK)
	$(CREATE)
	$(INSTALL) --editable '.[profile]'
	touch $@

$(VENV)/.installed-test: pyproject.toml $(LOCK)
	$(CREATE)
	$(INSTALL) --editable '.[profile,ray,onnx,pdf,test,docs]'
	touch $@ $(VENV)/.installed

lock:
	$(UV) pip compile pyproject.toml --all-extras --universal --python-version 3.11 --no-header --no-annotate --output-file $(LOCK)

clean:
	rm -rf $(VENV) $(OUT) $(SITE)

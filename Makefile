# Front doors for people; the work is done in scripts/ and lab/.
.DEFAULT_GOAL := help
.PHONY: help demo test check screenshots format lab-up lab-down clean
HOSTS ?=

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: ## weak mail servers in containers: found, hardened, proven (as root, on Debian 12 or 13)
	@scripts/demo.sh

test: ## the whole gate; what CI runs
	@scripts/setup.sh dev && .venv/bin/python scripts/gate.py

check: ## the part of the gate that needs no containers, in less than three minutes
	@scripts/setup.sh check && .venv/bin/python scripts/gate.py --no-lab

screenshots: ## the pictures of the README, of what `make demo` found
	@scripts/setup.sh dev && .venv/bin/python scripts/screenshots.py

format: ## format and mend the Python files
	@scripts/setup.sh check && .venv/bin/ruff format && .venv/bin/ruff check --fix

lab-up: ## start the lab, or HOSTS="dovecot-trixie ..." of it
	@scripts/setup.sh run && lab/lab.py up $(HOSTS)

lab-down: ## remove the lab's containers, or HOSTS="..." of them
	@lab/lab.py down $(HOSTS)

clean: ## remove what the tools made; the lab's own files stay, see lab-down
	@scripts/clean.sh

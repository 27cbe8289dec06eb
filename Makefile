# The course's commands. Each makes .venv first, or finds that it is up to date.
#
#   make course                                   start the lessons in JupyterLab
#   make course ARGS="--no-browser --port 8890"   the same, with arguments for `chainrule start`
#   make test ARGS="tests/chainrule_lib -x"       run the tests, or some of them
#   make lint                                     style, types, and released lessons against their sources
#   make selftest ARGS=05_backpropagation         try the exercises with all mistakes, their pairs, and mutants
#   make grade-demo                               release, grade and return a lesson for twelve made-up students
#   make clean                                    remove .venv and what tools have cached
#
# PYTHON=/path/to/python chooses the interpreter that .venv is made from.

.PHONY: course test lint selftest grade-demo clean
.DEFAULT_GOAL := course

environment = @PYTHON='$(PYTHON)' sh .make/environment.sh

course:
	$(environment) course
	@.venv/bin/chainrule start $(ARGS)

test:
	$(environment) test
	@.venv/bin/python -m pytest -n auto --dist loadgroup $(ARGS)

lint:
	$(environment) dev
	@sh .make/lint.sh

selftest:
	$(environment) course
	@.venv/bin/chainrule selftest $(ARGS)

grade-demo:
	$(environment) course
	@.venv/bin/chainrule grade-demo $(ARGS)

clean:
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find autograder chainrule_lib tests -name __pycache__ -type d -prune -exec rm -rf {} +

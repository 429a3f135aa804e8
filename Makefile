# Makefile - builds and installs the extension (by PGXS) and vectord, and starts everything else.
#
# `make quickstart` and `make test` need nothing but make on a Debian 12: they install packages,
# build and install first. PG_CONFIG=... chooses the PostgreSQL. All that is built lies in build/,
# except what PGXS wants here (vector_fdw.so) and the versioned SQL script.
#
# V=1 shows whole commands.
#
# Not here: how vectord is compiled (daemon/Makefile); what a suite does (test/run).

# The only original: `make lint` compares vector_fdw.control, CHANGELOG.md and shared/version.h.
EXTVERSION = 0.1.0

PG_CONFIG ?= pg_config
PGXS := $(wildcard $(shell $(PG_CONFIG) --pgxs 2>/dev/null))
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
DAEMON_MAKE = +@$(MAKE) --no-print-directory -f daemon/Makefile
say = $(if $(V),,@printf '  %-5s %s\n' '$(1)' '$@';)
export PG_CONFIG

.DEFAULT_GOAL := all
.PHONY: deps quickstart quickstart-stop test bench lint format unit fuzz vectord install-vectord \
	uninstall-vectord installed

# ---- the extension --------------------------------------------------------------------------------

MODULE_big = vector_fdw
EXTENSION = vector_fdw
C_SOURCES := $(wildcard fdw/*.c)
CXX_SOURCES := $(wildcard fdw/*.cpp shared/*.cpp)
# shared/ is compiled here and again for vectord, with other flags: each has its own directory.
OBJS := $(C_SOURCES:%.c=build/extension/%.o) $(CXX_SOURCES:%.cpp=build/extension/%.o)
DATA := $(wildcard sql/vector_fdw--*--*.sql)
DATA_built = sql/vector_fdw--$(EXTVERSION).sql
PG_CPPFLAGS = -I. -I$(shell $(PG_CONFIG) --includedir)
# No contraction: distances are the same bits as vectord's (shared/metric.h).
# Unused parameters are dictated by PostgreSQL's callbacks; its macros mix signs and omit initialisers.
PG_CFLAGS = -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -Wno-declaration-after-statement -ffp-contract=off
# Only C functions are looked up by name; nothing of the C++ may clash with another module's.
PG_CXXFLAGS = -std=c++17 -Wall -Wextra -Werror -ffp-contract=off -fvisibility=hidden \
	-fvisibility-inlines-hidden
SHLIB_LINK = -Wl,--exclude-libs,ALL -lzmq -lstdc++ -lm
EXTRA_CLEAN = build sql/vector_fdw--$(EXTVERSION).sql

# The tests run in the database of the environment, where vectord follows it already
# (test/README.md, "Against a running server"): nothing is created or dropped around them.
REGRESS := $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test --outputdir=build/regress --use-existing
ISOLATION := $(patsubst test/isolation/specs/%.spec,%,$(sort $(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test/isolation --outputdir=build/isolation --use-existing
CHECK_DATABASE = $(or $(PGDATABASE),contrib_regression)
TAP_TESTS = 1

ifneq ($(PGXS),)
override with_llvm := no # bitcode would be compiled without our flags, and is no use to a scan
include $(PGXS)
CONTRIB_TESTDB = $(CHECK_DATABASE)
ISOLATION_TESTDB = $(CHECK_DATABASE)
# PGXS would run prove as this user, but initdb refuses root.
prove_installcheck = test/run tap

build/extension/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,C)$(CC) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<
build/extension/%.o: %.cpp Makefile
	@mkdir -p $(@D)
	$(call say,C++)$(CXX) $(CXXFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<
-include $(OBJS:.o=.d)

sql/vector_fdw--$(EXTVERSION).sql: sql/vector_fdw.sql Makefile
	cp $< $@

all: vectord
install: install-vectord
uninstall: uninstall-vectord
installcheck: | build/regress build/isolation
build/regress build/isolation:
	mkdir -p $@
else
all install uninstall installcheck clean:
	@echo 'There is no PostgreSQL to build against: "$(PG_CONFIG) --pgxs" names no file.' >&2
	@echo 'Run "make deps", or give PG_CONFIG=/path/to/pg_config.' >&2
	@exit 1
endif

# ---- vectord --------------------------------------------------------------------------------------

vectord unit fuzz:
	$(DAEMON_MAKE) $@

prefix_vectord ?= /usr/local
sysconfdir_vectord ?= /etc/vectord
unitdir ?= /lib/systemd/system
install-vectord: vectord
	DESTDIR='$(DESTDIR)' daemon/install '$(prefix_vectord)' '$(sysconfdir_vectord)' '$(unitdir)'
# The configuration stays, as a package's would.
uninstall-vectord:
	rm -f '$(DESTDIR)$(prefix_vectord)/bin/vectord' '$(DESTDIR)$(unitdir)/vectord.service'

# ---- everything else ------------------------------------------------------------------------------

deps:
	@test/install_packages
# Each step is a make of its own, because only after the first is there a pg_config to ask.
installed: deps
	+$(MAKE) $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc)) all
	+$(SUDO) $(MAKE) install PG_CONFIG='$(PG_CONFIG)'
quickstart: installed
	$(DAEMON_MAKE) embed_text
	test/quickstart up
quickstart-stop:
	test/quickstart down
test: installed
	test/run
bench: installed
	test/bench/run
lint:
	test/lint/run
format:
	test/lint/check_format --fix

# Forwards to meson, so that nobody needs to learn it to contribute.
BUILD ?= build

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

check:
	./test

install: all
	meson install -C $(BUILD)

$(BUILD)/build.ninja:
	meson setup $(BUILD) --buildtype=release -Dhardening=true

.PHONY: all check install

# Forwards to meson, so that nobody needs to learn it to contribute.
#
#   make                          builds into BUILD
#   make install                  into /usr/local, or PREFIX=/usr; below DESTDIR for packages
#   make uninstall                takes away what install has put there; mail and your configuration stay
BUILD ?= build

all: $(BUILD)/build.ninja
	$(if $(PREFIX),meson configure $(BUILD) --prefix=$(PREFIX))
	ninja -C $(BUILD)

check:
	./test

install: all
	$(if $(DESTDIR),DESTDIR=$(abspath $(DESTDIR))) meson install -C $(BUILD) --no-rebuild

uninstall:
	ninja -C $(BUILD) uninstall
	$(if $(DESTDIR),DESTDIR=$(abspath $(DESTDIR))) ninja -C $(BUILD) remove-rest

$(BUILD)/build.ninja:
	meson setup $(BUILD) --buildtype=release -Dhardening=true $(if $(PREFIX),--prefix=$(PREFIX))

.PHONY: all check install uninstall
